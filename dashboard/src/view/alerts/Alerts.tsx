/** Broken promises and crowded queues as they happen, until somebody says that they have been seen to. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { type Alarm, type AlertKind, MAX_RESOLVED, type Thresholds } from "../../model/alerts";
import { clockTime, roughAge } from "../../model/durations";
import { shortId } from "../../model/filters";
import { preferences } from "../../preferences";
import { texts } from "../../texts";
import { Choice } from "../shell/Choice";
import { QueueChoice } from "../shell/CommonFilters";
import { Notice } from "../shell/Notice";
import { useFirstRows } from "../shell/useFirstRows";
import type { Store } from "../store";
import { Settings } from "./AlertSettings";
import { acknowledge, isAcknowledged, NO_THRESHOLDS } from "./alert-store";

const KINDS = Object.keys(texts.alerts.kinds) as AlertKind[];

export function Alerts({ store }: { store: Store }) {
  const queue = store.router.get("queue");
  const kind = store.router.get("kind");
  const showsSeen = store.router.get("seen") === "too";
  const asked = store.desk.all.value.filter(
    (alarm) => (queue === null || alarm.queueId === queue) && (kind === null || alarm.kind === kind),
  );
  const unseen = asked.filter((alarm) => !isAcknowledged(alarm));
  const wanted = showsSeen ? asked : unseen;
  const [shown, more] = useFirstRows(wanted);
  const seeTo = useSeeTo(store);
  return (
    <>
      <section class="filters" aria-label={texts.alerts.filters}>
        <QueueChoice store={store} />
        <Choice
          label={texts.alerts.kind}
          testId="filter-kind"
          value={kind ?? ""}
          options={[
            ["", texts.alerts.allKinds],
            ...KINDS.map((name) => [name, texts.alerts.kinds[name]] as const),
          ]}
          onChoose={(value) => store.router.patch({ kind: value })}
        />
        <label class="check">
          <input
            type="checkbox"
            checked={showsSeen}
            data-testid="show-seen"
            onChange={(event) => store.router.patch({ seen: event.currentTarget.checked ? "too" : null })}
          />
          {texts.alerts.showAcknowledged}
        </label>
        <div class="shown">
          <button
            type="button"
            class="primary"
            disabled={unseen.length === 0}
            data-testid="acknowledge-all"
            onClick={() => seeTo(unseen)}
          >
            {texts.alerts.acknowledgeAll(unseen.length)}
          </button>
        </div>
      </section>
      <div class="scroll columns">
        <section class="block alert-list" aria-label={texts.alerts.label}>
          {shown.length === 0 ? (
            <Notice
              title={asked.length > 0 ? texts.alerts.allAcknowledged : texts.alerts.none}
              help={texts.alerts.noneHelp}
              testId="empty"
            />
          ) : (
            <>
              <ol>
                {shown.map((alarm) => (
                  <AlarmRow key={alarm.key} store={store} alarm={alarm} onSeen={() => seeTo([alarm])} />
                ))}
              </ol>
              {more}
              {more === null && store.desk.isFull ? (
                <p class="help">{texts.alerts.kept(MAX_RESOLVED)}</p>
              ) : null}
            </>
          )}
        </section>
        <Settings store={store} />
      </div>
    </>
  );
}

/** Acknowledges. The button that was pressed goes with its alarm: the one that takes its place has the focus, else the view. */
function useSeeTo(store: Store): (alarms: readonly Alarm[]) => void {
  const left = useRef<number | null>(null);
  const buttons = () => [...document.querySelectorAll<HTMLElement>("[data-testid=acknowledge]")];
  useLayoutEffect(() => {
    if (left.current === null) return;
    const heir = buttons()[left.current] ?? buttons().at(-1) ?? document.getElementById("content");
    left.current = null;
    heir?.focus();
  });
  return (alarms) => {
    const pressed = document.activeElement; // the body, where a browser gives a button that is clicked no focus
    left.current = pressed === document.body ? null : Math.max(0, buttons().indexOf(pressed as HTMLElement));
    acknowledge(alarms, store.now.peek());
  };
}

interface AlarmRowProps {
  store: Store;
  alarm: Alarm;
  onSeen: () => void;
}

function AlarmRow({ store, alarm, onSeen }: AlarmRowProps) {
  const { kind, queueId, callId, raisedAt, isDated, isOpen } = alarm;
  const isSeen = isAcknowledged(alarm);
  const queue = store.feed.directory.queues.get(queueId)?.name ?? queueId;
  return (
    <li
      class="alarm"
      data-testid="alert"
      data-kind={kind}
      data-call-id={callId ?? ""}
      data-open={isOpen && !isSeen}
    >
      <span class="alarm-when">
        {isDated ? (
          <>
            <time dateTime={new Date(raisedAt).toISOString()}>{clockTime(raisedAt)}</time>
            <span>{texts.alerts.ago(roughAge(Math.max(0, store.shownNow.value - raisedAt)))}</span>
          </>
        ) : (
          <span title={texts.alerts.earlierHelp}>{texts.alerts.earlier}</span>
        )}
      </span>
      <span class="alarm-what">
        <b>{texts.alerts.kinds[kind]}</b>
        <span class="alarm-where">
          <span>
            <bdi>{queue}</bdi>
            {measureOf(alarm)}
          </span>
          {callId === null ? null : (
            <button type="button" class="link mono" title={callId} onClick={() => store.open(callId)}>
              {shortId(callId)}
            </button>
          )}
        </span>
      </span>
      <span class="tag alarm-state" data-open={isOpen}>
        {isOpen ? texts.alerts.open : texts.alerts.resolved}
      </span>
      {isSeen ? (
        <span class="alarm-seen">{texts.alerts.acknowledged}</span>
      ) : (
        <button type="button" class="secondary" data-testid="acknowledge" onClick={onSeen}>
          {texts.alerts.acknowledge}
          <span class="hidden"> {texts.alerts.line(kind, queue)}</span>
        </button>
      )}
    </li>
  );
}

function measureOf({ kind, queueId, measure }: Alarm): string {
  if (measure === null) return "";
  const { waiting, waitSeconds }: Thresholds = preferences.thresholds.value[queueId] ?? NO_THRESHOLDS;
  const text =
    kind === "queue_waiting"
      ? texts.alerts.waitingMost(measure, waiting)
      : texts.alerts.waitMost(measure, waitSeconds);
  return `: ${text}`;
}
