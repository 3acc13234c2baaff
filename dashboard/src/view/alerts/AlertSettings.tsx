/** Notifications and thresholds of alerts. They are stored in this browser. */

import { useState } from "preact/hooks";
import type { Queue } from "../../contracts";
import type { Thresholds } from "../../model/alerts";
import { preferences } from "../../preferences";
import { texts } from "../../texts";
import * as controlStyles from "../shell/controls.module.css";
import { HeadRow, NUMBER } from "../shell/HeadRow";
import * as layoutStyles from "../shell/layout.module.css";
import * as tableStyles from "../shell/table.module.css";
import * as textStyles from "../shell/text.module.css";
import * as styles from "./AlertSettings.module.css";
import { NO_THRESHOLDS } from "./alert-store";
import { askToNotify, playTone } from "./notify";

export function AlertSettings({ queues }: { queues: readonly Queue[] }) {
  return (
    <section class={`${layoutStyles.block} ${styles.settings}`}>
      <header class={layoutStyles.blockHead}>
        <h2>{texts.alerts.settings}</h2>
      </header>
      <Sound />
      <Desktop />
      <h3>{texts.alerts.thresholds}</h3>
      <p class={textStyles.help}>{texts.alerts.thresholdsHelp}</p>
      <table class={tableStyles.table}>
        <HeadRow
          columns={[
            [texts.columns.queue],
            [texts.alerts.target, NUMBER],
            [texts.alerts.waitingAbove, NUMBER],
            [texts.alerts.waitAbove, NUMBER],
          ]}
        />
        <tbody>
          {queues.map((queue) => (
            <QueueThresholds key={queue.id} queue={queue} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Sound() {
  return (
    <p class={styles.setting}>
      <label class={controlStyles.check}>
        <input
          type="checkbox"
          checked={preferences.sound.value}
          onChange={(event) => {
            preferences.sound.value = event.currentTarget.checked;
            if (event.currentTarget.checked) playTone();
          }}
        />
        {texts.alerts.sound}
      </label>
      <button type="button" class={controlStyles.quiet} onClick={playTone}>
        {texts.alerts.test}
      </button>
    </p>
  );
}

function Desktop() {
  const [isDenied, setDenied] = useState(false);
  const change = async (wanted: boolean) => {
    const isAllowed = wanted && (await askToNotify());
    preferences.notifications.value = isAllowed;
    setDenied(wanted && !isAllowed);
  };
  return (
    <p class={styles.setting}>
      <label class={controlStyles.check}>
        <input
          type="checkbox"
          data-testid="notifications"
          checked={preferences.notifications.value}
          onChange={(event) => void change(event.currentTarget.checked)}
        />
        {texts.alerts.desktop}
      </label>
      {isDenied ? <span role="alert">{texts.alerts.denied}</span> : null}
    </p>
  );
}

function QueueThresholds({ queue }: { queue: Queue }) {
  const known = preferences.thresholds.value[queue.id] ?? NO_THRESHOLDS;
  const set = (change: Partial<Thresholds>) => {
    preferences.thresholds.value = { ...preferences.thresholds.value, [queue.id]: { ...known, ...change } };
  };
  return (
    <tr>
      <th scope="row">{queue.name}</th>
      <td class={tableStyles.number}>{texts.figures.seconds(String(queue.slaSeconds))}</td>
      <td class={tableStyles.number}>
        <Threshold
          label={texts.alerts.waitingAboveOf(queue.name)}
          testId={`threshold-waiting-${queue.id}`}
          value={known.waiting}
          onValue={(waiting) => set({ waiting })}
        />
      </td>
      <td class={tableStyles.number}>
        <Threshold
          label={texts.alerts.waitAboveOf(queue.name)}
          testId={`threshold-wait-${queue.id}`}
          value={known.waitSeconds}
          onValue={(waitSeconds) => set({ waitSeconds })}
        />
      </td>
    </tr>
  );
}

interface ThresholdProps {
  label: string;
  testId: string;
  value: number | null;
  onValue: (value: number | null) => void;
}

function Threshold({ label, testId, value, onValue }: ThresholdProps) {
  return (
    <input
      type="number"
      class={styles.threshold}
      min={0}
      max={86_400}
      inputMode="numeric"
      aria-label={label}
      data-testid={testId}
      value={value ?? ""}
      onChange={({ currentTarget: { value: text } }) => onValue(/^\d{1,5}$/.test(text) ? Number(text) : null)}
    />
  );
}
