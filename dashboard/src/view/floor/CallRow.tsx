import type { ComponentChildren } from "preact";
import type { Call } from "../../contracts";
import {
  type Countdown,
  countdownOf,
  isBreached,
  isOverWait,
  stateOf,
  totalMs,
  waitedMs,
} from "../../model/call-state";
import { clockDuration, countdown } from "../../model/durations";
import { agentIdOf, languageName, languageOf, shortId } from "../../model/filters";
import { texts } from "../../texts";
import { StateIcon, VideoIcon } from "../shell/icons";
import type { Store } from "../store";

interface CallRowProps {
  store: Store;
  call: Call;
  id: string;
  index: number;
  start: number;
  isCursor: boolean;
}

export function CallRow({ store, call, id, index, start, isCursor }: CallRowProps) {
  const now = store.shownNow.value;
  const queue = store.feed.directory.queues.get(call.queueId);
  const waited = waitedMs(call, now);
  const state = stateOf(call);
  const due = countdownOf(call, queue, now);
  const isLate = isBreached(call, queue, now);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the grid takes the keys for its rows
    <div
      class="row"
      id={id}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={call.id === store.openId.value}
      data-cursor={isCursor}
      data-testid="call-row"
      data-call-id={call.id}
      data-status={call.status}
      data-state={state}
      data-version={call.version}
      data-tone={isLate ? "past" : (due?.tone ?? "none")}
      style={{ top: `${start}px` }}
      onClick={() => store.open(call.id)}
    >
      <DueCell due={due} />
      <Cell name="state">
        <StateIcon state={state} />
        {texts.states[state]}
      </Cell>
      <Cell name="call" title={call.id}>
        <span class="id">{shortId(call.id)}</span>
        {call.type === "video" ? (
          <span class="type" title={texts.types.video}>
            <VideoIcon />
            <span class="hidden">{texts.types.video}</span>
          </span>
        ) : null}
      </Cell>
      <Cell name="queue" title={call.queueId}>
        {queue?.name ?? call.queueId}
      </Cell>
      <Cell name="language">{languageName(languageOf(call, queue)) ?? texts.nothing}</Cell>
      <AgentCell store={store} call={call} />
      <Cell name={isOverWait(waited, queue) ? "waited late" : "waited"}>
        {waited === null ? texts.nothing : clockDuration(waited)}
      </Cell>
      <Cell name="total">{clockDuration(totalMs(call, now))}</Cell>
      <Cell name="flags">
        {call.flags.map((flag) => (
          <span key={flag} class="flag" data-flag={flag}>
            {texts.flags[flag] ?? flag}
          </span>
        ))}
      </Cell>
    </div>
  );
}

/** Who has the call or is being rung; where nobody is, who could take it; and who was rung in vain. */
function AgentCell({ store, call }: { store: Store; call: Call }) {
  const { agents } = store.feed.directory;
  const nameOf = (id: string) => agents.get(id)?.name ?? id;
  const agentId = agentIdOf(call);
  store.missedOffersRead.value;
  const missed = store.attempts.missedBy(call).filter((id) => id !== agentId);
  const missedText = missed.length === 0 ? null : texts.missedBy(missed.map(nameOf).join(", "));
  const free = agentId === null ? store.free.value(call.queueId, call.language) : [];
  const freeNames = free.slice(0, 5).map(({ name }) => name);
  const title = [
    agentId ?? (free.length === 0 ? "" : texts.freeNames(freeNames.join(", "))),
    missedText ?? "",
  ];
  return (
    <Cell name="agent" title={title.filter((text) => text !== "").join(" · ")}>
      {agentId === null ? (
        <span class="free" data-free={free.length > 0}>
          {texts.freeFor(free.length)}
        </span>
      ) : (
        <span class={stateOf(call) === "ringing" ? "agent-name tentative" : "agent-name"}>
          {nameOf(agentId)}
        </span>
      )}
      {call.offer !== null && call.offer.attempt > 1 ? (
        <span class="attempt">{texts.attempt(call.offer.attempt)}</span>
      ) : null}
      {missedText === null ? null : <span class="attempt missed">{missedText}</span>}
    </Cell>
  );
}

interface CellProps {
  name: string;
  title?: string;
  children: ComponentChildren;
}

function Cell({ name, title, children }: CellProps) {
  return (
    <div class={`cell ${name}`} role="gridcell" title={title}>
      {children}
    </div>
  );
}

function dueLabels(due: Countdown) {
  return due.tone === "past" ? texts.deadlinesPast : texts.deadlines;
}

function DueCell({ due }: { due: Countdown | null }) {
  if (due === null) {
    return (
      <Cell name="due">
        <span class="hidden">{texts.noDeadline}</span>
      </Cell>
    );
  }
  const label = due.dueMs === null ? texts.holdLimit : dueLabels(due)[due.kind];
  return (
    <Cell name="due">
      <span class="countdown" data-tone={due.tone} data-testid="countdown">
        {due.dueMs === null ? texts.over : countdown(due.remainingMs)}
      </span>
      <span class="due-kind">{label}</span>
      <span class="meter" data-tone={due.tone} aria-hidden="true">
        <span style={{ width: `${(100 * due.left).toFixed(1)}%` }} />
      </span>
    </Cell>
  );
}
