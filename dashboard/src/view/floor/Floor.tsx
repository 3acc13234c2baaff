/** The live calls, and above them what a glance has to tell. */

import type { Store } from "../store";
import { CallList } from "./CallList";
import { FilterBar } from "./FilterBar";
import { FirstSteps } from "./FirstSteps";
import { Board } from "./LanguageCards";
import { Tiles } from "./Tiles";

export function Floor({ store }: { store: Store }) {
  if (store.hasNoQueues.value) return <FirstSteps store={store} />;
  return (
    <>
      <Tiles store={store} />
      <Board store={store} />
      <FilterBar store={store} />
      <CallList store={store} />
    </>
  );
}
