/** Keyboard shortcuts and settings. */

import { useEffect, useRef } from "preact/hooks";
import { preferences, THEMES } from "../../preferences";
import { texts } from "../../texts";
import { Choice } from "./Choice";
import * as controlStyles from "./controls.module.css";
import * as styles from "./Help.module.css";
import { CloseIcon } from "./icons";

export function Help({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const theme = preferences.theme.value;
  return (
    <dialog class={styles.dialog} ref={dialog} aria-labelledby="help-title" onClose={onClose}>
      <header class={styles.helpHead}>
        <h2 id="help-title">{texts.help.title}</h2>
        <button
          type="button"
          class={`${controlStyles.quiet} ${controlStyles.icon}`}
          aria-label={texts.help.close}
          onClick={() => dialog.current?.close()}
        >
          <CloseIcon />
        </button>
      </header>
      <dl class={styles.keys}>
        {texts.help.rows.map(([keys, action]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{action}</dd>
          </div>
        ))}
      </dl>
      <label class={controlStyles.check}>
        <input
          type="checkbox"
          checked={preferences.shortcuts.value}
          onChange={(event) => {
            preferences.shortcuts.value = event.currentTarget.checked;
          }}
        />
        {texts.help.enabled}
      </label>
      <Choice
        label={texts.theme}
        shown
        testId="theme"
        value={theme}
        options={THEMES.map((name) => [name, texts.themes[name]] as const)}
        onChoose={(value) => {
          preferences.theme.value = THEMES.find((name) => name === value) ?? "auto";
        }}
      />
    </dialog>
  );
}
