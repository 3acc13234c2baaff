/** The page of a signed-in supervisor. */

import { useEffect, useRef } from "preact/hooks";
import { texts } from "../texts";
import { CallList } from "./CallList";
import { CallPanel } from "./CallPanel";
import { FilterBar } from "./FilterBar";
import { Header } from "./Header";
import type { Store } from "./store";
import { Tiles } from "./Tiles";

interface FloorProps {
  store: Store;
  onSignOut: () => void;
}

export function Floor({ store, onSignOut }: FloorProps) {
  const { connection, isComplete } = store.picture.value;
  const history = store.history.value;
  const search = useRef<HTMLInputElement>(null);
  useTitle(store);
  useShortcuts(store, search);
  return (
    <div
      class="app"
      data-testid="app"
      data-connection={connection}
      data-complete={isComplete}
      data-floor-count={store.figures.value.total}
      data-panel={history === null ? "closed" : "open"}
    >
      <button type="button" class="skip" onClick={() => document.getElementById("calls")?.focus()}>
        {texts.skipToCalls}
      </button>
      <Header store={store} onSignOut={onSignOut} />
      <Tiles store={store} />
      <FilterBar store={store} search={search} />
      <main class="floor">
        <CallList store={store} />
        {history === null ? null : <CallPanel key={history.callId} store={store} history={history} />}
      </main>
    </div>
  );
}

function useTitle(store: Store): void {
  const { waiting, breached } = store.figures.value;
  const title = store.picture.value.provenAt === null ? texts.plainTitle : texts.title(waiting, breached);
  useEffect(() => {
    document.title = title;
    return () => {
      document.title = texts.plainTitle;
    };
  }, [title]);
}

function useShortcuts(store: Store, search: { current: HTMLInputElement | null }): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
      if (event.key === "Escape" && store.openId.value !== null) {
        store.open(null);
        document.getElementById("calls")?.focus();
      } else if (event.key === "/" && !isTyping) {
        event.preventDefault();
        search.current?.focus();
      }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [store, search]);
}
