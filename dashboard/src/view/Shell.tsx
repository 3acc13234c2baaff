/** The page of whoever is signed in: header, the view that the address names, and beside it the open call. */

import { useEffect, useState } from "preact/hooks";
import { formatAddress, type View } from "../address";
import { preferences } from "../preferences";
import { texts } from "../texts";
import { Agents } from "./agents/Agents";
import { Alerts } from "./alerts/Alerts";
import { CallPanel } from "./call/CallPanel";
import { Calls } from "./calls/Calls";
import { Letters } from "./dead-letters/DeadLetters";
import { Figures } from "./figures/Figures";
import { Floor } from "./floor/Floor";
import { focusContent, focusOpener } from "./shell/focus";
import { Header, NAVIGATION } from "./shell/Header";
import { Help } from "./shell/Help";
import type { Store } from "./store";

interface ShellProps {
  store: Store;
  onSignOut: () => void;
}

const SHOWN = {
  floor: Floor,
  agents: Agents,
  figures: Figures,
  alerts: Alerts,
  letters: Letters,
  calls: Calls,
};

export function Shell({ store, onSignOut }: ShellProps) {
  const { connection, isComplete } = store.picture.value;
  const history = store.history.value;
  const view = store.router.view.value;
  const [isHelping, setHelping] = useState(false);
  useTitle(store, view);
  useShortcuts(store, () => setHelping(true));
  const Shown = SHOWN[view];
  return (
    <div
      class="app"
      data-testid="app"
      data-connection={connection}
      data-complete={isComplete}
      data-floor-count={store.figures.value.total}
      data-panel={history === null ? "closed" : "open"}
    >
      <button type="button" class="skip" onClick={focusContent}>
        {texts.skip}
      </button>
      <Header store={store} onSignOut={onSignOut} onHelp={() => setHelping(true)} />
      <div class="workspace">
        <main class={`view view-${view}`} id="content" tabIndex={-1} data-view={view}>
          <h1 class="hidden">{texts.views[view]}</h1>
          <Shown store={store} />
        </main>
        {history === null ? null : <CallPanel key={history.callId} store={store} history={history} />}
      </div>
      {isHelping ? <Help onClose={() => setHelping(false)} /> : null}
    </div>
  );
}

function useTitle(store: Store, view: View): void {
  const { waiting, breached } = store.figures.value;
  const isFloor = view === "floor" && store.picture.value.confirmedAt !== null;
  const title = isFloor ? texts.title(waiting, breached) : texts.viewTitle(texts.views[view]);
  useEffect(() => {
    document.title = title;
    return () => {
      document.title = texts.plainTitle;
    };
  }, [title]);
}

function useShortcuts(store: Store, help: () => void): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (
        event.key === "Escape" &&
        store.openId.value !== null &&
        document.querySelector("dialog") === null
      ) {
        store.open(null);
        focusOpener();
      } else if (preferences.shortcuts.value && !isTyping(event)) {
        pressSingle(event, store, help);
      }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [store]);
}

function pressSingle(event: KeyboardEvent, store: Store, help: () => void): void {
  const view = NAVIGATION[Number(event.key) - 1];
  if (view !== undefined) store.router.go(formatAddress(view));
  else if (event.key === "?") help();
  else if (event.key === "/") document.querySelector<HTMLElement>("[data-search]")?.focus();
  else return;
  event.preventDefault();
}

function isTyping({ target, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  if (ctrlKey || metaKey || altKey) return true;
  return target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
}
