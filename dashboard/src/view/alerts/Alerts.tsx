/** Alerts of calls and queues as they happen, until they are acknowledged. */

import { useLayoutEffect, useRef } from "preact/hooks";
import type { Query } from "../../address";
import { type AlertKind, MAX_RESOLVED, type ShownAlert, type Thresholds } from "../../model/alerts";
import { clockTime, roughAge } from "../../model/durations";
import { type Directory, nameOf, shortId } from "../../model/filters";
import { preferences } from "../../preferences";
import { texts } from "../../texts";
import { Choice } from "../shell/Choice";
import { QueueChoice } from "../shell/CommonFilters";
import * as controlStyles from "../shell/controls.module.css";
import * as filterStyles from "../shell/filters.module.css";
import * as layoutStyles from "../shell/layout.module.css";
import { Notice } from "../shell/Notice";
import * as textStyles from "../shell/text.module.css";
import { useFirstRows } from "../shell/useFirstRows";
import { AlertSettings } from "./AlertSettings";
import * as styles from "./Alerts.module.css";
import { acknowledge, isAcknowledged, NO_THRESHOLDS } from "./alert-store";

const KINDS = Object.keys(texts.alerts.kinds) as AlertKind[];

interface AlertsProps {
  /** The parameters of the address. */
  query: URLSearchParams;
  alerts: readonly ShownAlert[];
  /** True if older resolved alerts may have been removed. */
  isFull: boolean;
  directory: Directory;
  now: number;
  serverNow: () => number;
  onQuery: (change: Query) => void;
  onOpen: (callId: string) => void;
}

export function Alerts({ query, alerts, isFull, directory, now, serverNow, onQuery, onOpen }: AlertsProps) {
  const { queues } = directory;
  const queueId = query.get("queue") || null;
  const kind = query.get("kind") || null;
  const showsAcknowledged = query.get("seen") === "too";
  const matching = alerts.filter(
    (alert) => (queueId === null || alert.queueId === queueId) && (kind === null || alert.kind === kind),
  );
  const unacknowledged = matching.filter((alert) => !isAcknowledged(alert));
  const [shown, more] = useFirstRows(showsAcknowledged ? matching : unacknowledged);
  const acknowledgeAndFocus = useAcknowledge(serverNow);
  return (
    <>
      <section class={filterStyles.filters} aria-label={texts.alerts.filters}>
        <QueueChoice queues={queues} chosen={queueId} onChoose={(queue) => onQuery({ queue })} />
        <Choice
          label={texts.alerts.kind}
          testId="filter-kind"
          value={kind ?? ""}
          options={[
            ["", texts.alerts.allKinds],
            ...KINDS.map((name) => [name, texts.alerts.kinds[name]] as const),
          ]}
          onChoose={(value) => onQuery({ kind: value })}
        />
        <label class={controlStyles.check}>
          <input
            type="checkbox"
            checked={showsAcknowledged}
            data-testid="show-seen"
            onChange={(event) => onQuery({ seen: event.currentTarget.checked ? "too" : null })}
          />
          {texts.alerts.showAcknowledged}
        </label>
        <div class={filterStyles.shown}>
          <button
            type="button"
            class={controlStyles.primary}
            disabled={unacknowledged.length === 0}
            onClick={() => acknowledgeAndFocus(unacknowledged)}
          >
            {texts.alerts.acknowledgeAll(unacknowledged.length)}
          </button>
        </div>
      </section>
      <div class={`${layoutStyles.scroll} ${layoutStyles.columns}`}>
        <section class={`${layoutStyles.block} ${styles.alertList}`} aria-label={texts.views.alerts}>
          {shown.length === 0 ? (
            <Notice
              title={matching.length > 0 ? texts.alerts.allAcknowledged : texts.alerts.none}
              help={texts.alerts.noneHelp}
              testId="empty"
            />
          ) : (
            <>
              <ol>
                {shown.map((alert) => (
                  <AlertRow
                    key={alert.key}
                    queue={nameOf(queues, alert.queueId)}
                    onAcknowledge={() => acknowledgeAndFocus([alert])}
                    {...{ alert, now, onOpen }}
                  />
                ))}
              </ol>
              {more}
              {more === null && isFull ? (
                <p class={textStyles.help}>{texts.alerts.kept(MAX_RESOLVED)}</p>
              ) : null}
            </>
          )}
        </section>
        <AlertSettings queues={[...queues.values()]} />
      </div>
    </>
  );
}

/** Acknowledges alerts. The pressed button disappears, so the focus moves to the next one, or to the view. */
function useAcknowledge(serverNow: () => number): (alerts: readonly ShownAlert[]) => void {
  const focusIndex = useRef<number | null>(null);
  const buttons = () => [...document.querySelectorAll<HTMLElement>("[data-testid=acknowledge]")];
  useLayoutEffect(() => {
    if (focusIndex.current === null) return;
    const next = buttons()[focusIndex.current] ?? buttons().at(-1) ?? document.getElementById("content");
    focusIndex.current = null;
    next?.focus();
  });
  return (alerts) => {
    const pressed = document.activeElement; // the body, in browsers that do not focus a clicked button
    focusIndex.current =
      pressed === document.body ? null : Math.max(0, buttons().indexOf(pressed as HTMLElement));
    acknowledge(alerts, serverNow());
  };
}

interface AlertRowProps {
  alert: ShownAlert;
  queue: string;
  now: number;
  onAcknowledge: () => void;
  onOpen: (callId: string) => void;
}

function AlertRow({ alert, queue, now, onAcknowledge, onOpen }: AlertRowProps) {
  const { kind, callId, raisedAt, isDated, isOpen } = alert;
  const isSeen = isAcknowledged(alert);
  return (
    <li
      class={styles.alert}
      data-testid="alert"
      data-kind={kind}
      data-call-id={callId ?? ""}
      data-open={isOpen && !isSeen}
    >
      <span class={styles.alertWhen}>
        {isDated ? (
          <>
            <time dateTime={new Date(raisedAt).toISOString()}>{clockTime(raisedAt)}</time>
            <span>{texts.age.ago(roughAge(Math.max(0, now - raisedAt)))}</span>
          </>
        ) : (
          <span title={texts.alerts.earlierHelp}>{texts.alerts.earlier}</span>
        )}
      </span>
      <span class={styles.alertWhat}>
        <b>{texts.alerts.kinds[kind]}</b>
        <span class={styles.alertWhere}>
          <span>
            <bdi>{queue}</bdi>
            {measureOf(alert)}
          </span>
          {callId === null ? null : (
            <button
              type="button"
              class={`${controlStyles.link} ${textStyles.mono}`}
              title={callId}
              onClick={() => onOpen(callId)}
            >
              {shortId(callId)}
            </button>
          )}
        </span>
      </span>
      <span class={`${textStyles.tag} ${styles.alertState}`} data-open={isOpen}>
        {isOpen ? texts.alerts.open : texts.alerts.resolved}
      </span>
      {isSeen ? (
        <span class={styles.alertAcknowledged}>{texts.alerts.acknowledged}</span>
      ) : (
        <button
          type="button"
          class={controlStyles.secondary}
          data-testid="acknowledge"
          onClick={onAcknowledge}
        >
          {texts.alerts.acknowledge}
          <span class={textStyles.hidden}> {texts.alerts.line(kind, queue)}</span>
        </button>
      )}
    </li>
  );
}

function measureOf({ kind, queueId, measure }: ShownAlert): string {
  if (measure === null) return "";
  const { waiting, waitSeconds }: Thresholds = preferences.thresholds.value[queueId] ?? NO_THRESHOLDS;
  const text =
    kind === "queue_waiting"
      ? texts.alerts.peakWaiting(measure, waiting)
      : texts.alerts.peakWait(measure, waitSeconds);
  return `: ${text}`;
}
