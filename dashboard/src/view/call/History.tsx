/** A call's events, oldest first. Each event opens to its JSON. */

import { Fragment } from "preact";
import { useState } from "preact/hooks";
import type { Agent, Event } from "../../contracts";
import { clockDuration, clockTime, roughAge } from "../../model/durations";
import { nameOf } from "../../model/filters";
import { eventMs } from "../../model/timeline";
import { texts } from "../../texts";
import { RawJson } from "../shell/RawJson";
import * as textStyles from "../shell/text.module.css";
import * as styles from "./History.module.css";

/** Shorter delays between an event and its receipt are not shown. */
const LATE_MS = 2_000;

interface HistoryProps {
  events: readonly Event[];
  agents: ReadonlyMap<string, Agent>;
}

export function History({ events, agents }: HistoryProps) {
  const firstMs = events[0] === undefined ? 0 : eventMs(events[0]);
  return (
    <section class={styles.history}>
      <h3>
        {texts.panel.history}
        <span class={styles.count}>{texts.panel.historyCount(events.length)}</span>
      </h3>
      <ol data-testid="history">
        {events.map((event) => (
          <Entry key={event.id} event={event} agents={agents} sinceStartMs={eventMs(event) - firstMs} />
        ))}
      </ol>
    </section>
  );
}

interface EntryProps {
  event: Event;
  agents: ReadonlyMap<string, Agent>;
  sinceStartMs: number;
}

function Entry({ event, agents, sinceStartMs }: EntryProps) {
  const [isOpen, setOpen] = useState(false);
  const details = detailsOf(event, agents);
  return (
    <li
      class={styles.entry}
      data-testid="event"
      data-event-type={event.type}
      data-source={event.source}
      data-void={event.void}
    >
      <button
        type="button"
        class={styles.entryButton}
        aria-expanded={isOpen}
        title={texts.panel.raw}
        onClick={() => setOpen(!isOpen)}
      >
        <span class={styles.entryTime}>
          <time dateTime={new Date(eventMs(event)).toISOString()}>{clockTime(eventMs(event))}</time>
          <span class={styles.entryOffset}>+{clockDuration(sinceStartMs)}</span>
        </span>
        <span class={styles.entryWhat}>
          <span class={styles.entryName}>{texts.events[event.type] ?? event.type}</span>
          {event.void ? (
            <span class={`${textStyles.tag} ${styles.voided}`} title={texts.panel.voidHelp}>
              {texts.panel.void}
            </span>
          ) : null}
          {event.source === "telephony" ? null : (
            <span class={textStyles.tag}>{texts.panel.source[event.source]}</span>
          )}
          {details.length === 0 ? null : (
            <span class={styles.entryDetails}>
              {details.map((detail, index) => (
                <Fragment key={index}>
                  {index === 0 ? "" : " · "}
                  <bdi>{detail}</bdi>
                </Fragment>
              ))}
            </span>
          )}
        </span>
      </button>
      {isOpen ? <RawJson value={event} testId="raw-event" /> : null}
    </li>
  );
}

function detailsOf(event: Event, agents: ReadonlyMap<string, Agent>): string[] {
  const { agentId, attempt, waitTime, holdDuration, duration, endReason, dueAt } = event.metadata;
  const details: string[] = [];
  if (typeof agentId === "string") details.push(nameOf(agents, agentId));
  if (typeof attempt === "number" && attempt > 1) details.push(texts.attempt(attempt));
  if (typeof endReason === "string") details.push(endReason);
  const held = holdDuration === 0 ? null : holdDuration; // 0 s: the hold begins.
  for (const seconds of [waitTime, held, duration]) {
    if (typeof seconds === "number") details.push(texts.panel.seconds(String(Math.round(seconds * 10) / 10)));
  }
  if (typeof dueAt === "string") details.push(texts.panel.due(clockTime(Date.parse(dueAt))));
  const lateMs = Date.parse(event.receivedAt) - eventMs(event);
  if (event.source === "telephony" && lateMs >= LATE_MS) {
    details.push(texts.panel.late(roughAge(lateMs)));
  }
  return details;
}
