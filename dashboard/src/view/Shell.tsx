/** The page of a signed-in user: the header, the view that the address names, and the open call next to it. */

import { useEffect, useState } from "preact/hooks";
import { formatAddress, type View } from "../address";
import { preferences } from "../preferences";
import { texts } from "../texts";
import * as styles from "./Shell.module.css";
import { focusContent, focusOpener } from "./shell/focus";
import { NAVIGATION } from "./shell/Header";
import { Help } from "./shell/Help";
import * as textStyles from "./shell/text.module.css";
import type { Store } from "./store";
import { CallPanelView, HeaderView, VIEW_COMPONENTS } from "./views";

interface ShellProps {
  store: Store;
  onSignOut: () => void;
}

export function Shell({ store, onSignOut }: ShellProps) {
  const { connection } = store.feedStatus.value;
  const history = store.history.value;
  const view = store.router.view.value;
  const [isHelpOpen, setHelpOpen] = useState(false);
  useTitle(store, view);
  useShortcuts(store, () => setHelpOpen(true));
  const CurrentView = VIEW_COMPONENTS[view];
  return (
    <div class={styles.app} data-testid="app" data-connection={connection}>
      <button type="button" class={styles.skip} data-testid="skip" onClick={focusContent}>
        {texts.skip}
      </button>
      <HeaderView store={store} onSignOut={onSignOut} onHelp={() => setHelpOpen(true)} />
      <div class={styles.workspace}>
        <main class={styles.view} id="content" tabIndex={-1} data-view={view}>
          <h1 class={textStyles.hidden}>{texts.views[view]}</h1>
          <CurrentView store={store} />
        </main>
        {history === null ? null : <CallPanelView key={history.callId} store={store} history={history} />}
      </div>
      {isHelpOpen ? <Help onClose={() => setHelpOpen(false)} /> : null}
    </div>
  );
}

function useTitle(store: Store, view: View): void {
  const { waiting, overTarget } = store.summary.value;
  const isFloor = view === "floor" && store.feedStatus.value.confirmedAt !== null;
  const title = isFloor ? texts.title(waiting, overTarget) : texts.viewTitle(texts.views[view]);
  useEffect(() => {
    document.title = title;
    return () => {
      document.title = texts.product;
    };
  }, [title]);
}

function useShortcuts(store: Store, showHelp: () => void): void {
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
        pressSingleKey(event, store, showHelp);
      }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [store]);
}

function pressSingleKey(event: KeyboardEvent, store: Store, showHelp: () => void): void {
  const view = NAVIGATION[Number(event.key) - 1];
  if (view !== undefined) store.router.go(formatAddress(view));
  else if (event.key === "?") showHelp();
  else if (event.key === "/") document.querySelector<HTMLElement>("[data-search]")?.focus();
  else return;
  event.preventDefault();
}

function isTyping({ target, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  if (ctrlKey || metaKey || altKey) return true;
  return target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
}
