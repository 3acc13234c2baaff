import type { ComponentChildren } from "preact";
import type { Agent, Call, Queue } from "../../contracts";
import {
  type Countdown,
  countdownOf,
  isOverTarget,
  isOverWait,
  stateOf,
  totalMs,
  waitedMs,
} from "../../model/call-state";
import { clockDuration, countdown } from "../../model/durations";
import { agentIdOf, languageName, languageOf, nameOf, shortId } from "../../model/filters";
import type { FindFree } from "../../model/free-agents";
import { texts } from "../../texts";
import { Flags } from "../shell/Flags";
import { StateIcon, VideoIcon } from "../shell/icons";
import * as textStyles from "../shell/text.module.css";
import * as rowStyles from "./rows.module.css";

interface CallRowProps {
  call: Call;
  now: number;
  queue: Queue | undefined;
  agents: ReadonlyMap<string, Agent>;
  findFree: FindFree;
  missedBy: readonly string[];
  id: string;
  index: number;
  start: number;
  isCursor: boolean;
  isOpen: boolean;
  onOpen: (callId: string) => void;
}

export function CallRow(props: CallRowProps) {
  const { call, now, queue, agents, findFree, missedBy, id, index, start, isCursor, isOpen, onOpen } = props;
  const waited = waitedMs(call, now);
  const state = stateOf(call);
  const due = countdownOf(call, queue, now);
  const tone = isOverTarget(call, queue, now) ? "past" : (due?.tone ?? "none");
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the grid takes the keys for its rows
    <div
      class={rowStyles.row}
      id={id}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isOpen}
      data-cursor={isCursor}
      data-testid="call-row"
      data-call-id={call.id}
      data-status={call.status}
      data-state={state}
      data-version={call.version}
      data-tone={tone}
      style={{ top: `${start}px` }}
      onClick={() => onOpen(call.id)}
    >
      <DueCell due={due} />
      <Cell column="state">
        <StateIcon state={state} />
        {texts.states[state]}
      </Cell>
      <Cell column="call" title={call.id}>
        <span class={rowStyles.id}>{shortId(call.id)}</span>
        {call.type === "video" ? (
          <span class={rowStyles.type} title={texts.types.video}>
            <VideoIcon />
            <span class={textStyles.hidden}>{texts.types.video}</span>
          </span>
        ) : null}
      </Cell>
      <Cell column="queue" title={call.queueId}>
        {queue?.name ?? call.queueId}
      </Cell>
      <Cell column="language">{languageName(languageOf(call, queue)) ?? texts.nothing}</Cell>
      <AgentCell {...{ call, agents, findFree, missedBy }} />
      <Cell column="waited" isLate={isOverWait(waited, queue)}>
        {waited === null ? texts.nothing : clockDuration(waited)}
      </Cell>
      <Cell column="total">{clockDuration(totalMs(call, now))}</Cell>
      <Cell column="flags">
        <Flags flags={call.flags} />
      </Cell>
    </div>
  );
}

interface AgentCellProps {
  call: Call;
  agents: ReadonlyMap<string, Agent>;
  findFree: FindFree;
  missedBy: readonly string[];
}

/** The agent who has the call or is offered it, or the number of agents who could take it; and who missed it. */
function AgentCell({ call, agents, findFree, missedBy }: AgentCellProps) {
  const agentId = agentIdOf(call);
  const missed = missedBy.filter((id) => id !== agentId);
  const missedText =
    missed.length === 0 ? "" : texts.missedBy(missed.map((id) => nameOf(agents, id)).join(", "));
  const free = agentId === null ? findFree(call.queueId, call.language) : [];
  const freeNames = free.slice(0, 5).map(({ name }) => name);
  const agentTitle = agentId ?? (free.length === 0 ? "" : texts.freeNames(freeNames.join(", ")));
  return (
    <Cell column="agent" title={[agentTitle, missedText].filter((text) => text !== "").join(" · ")}>
      {agentId === null ? (
        <span class={rowStyles.free} data-free={free.length > 0}>
          {texts.freeFor(free.length)}
        </span>
      ) : (
        <span class={rowStyles.agentName} data-ringing={stateOf(call) === "ringing"}>
          {nameOf(agents, agentId)}
        </span>
      )}
      {call.offer !== null && call.offer.attempt > 1 ? (
        <span class={rowStyles.attempt}>{texts.attempt(call.offer.attempt)}</span>
      ) : null}
      {missedText === "" ? null : (
        <span class={`${rowStyles.attempt} ${rowStyles.missed}`} data-testid="missed-by">
          {missedText}
        </span>
      )}
    </Cell>
  );
}

interface CellProps {
  column: string;
  title?: string;
  isLate?: boolean;
  children: ComponentChildren;
}

function Cell({ column, title, isLate = false, children }: CellProps) {
  return (
    <div class={rowStyles.cell} role="gridcell" data-col={column} data-late={isLate} title={title}>
      {children}
    </div>
  );
}

function DueCell({ due }: { due: Countdown | null }) {
  if (due === null) {
    return (
      <Cell column="due">
        <span class={textStyles.hidden}>{texts.noDeadline}</span>
      </Cell>
    );
  }
  const labels = due.tone === "past" ? texts.deadlinesPast : texts.deadlines;
  return (
    <Cell column="due">
      <span class={rowStyles.countdown} data-tone={due.tone}>
        {due.dueMs === null ? texts.over : countdown(due.remainingMs)}
      </span>
      <span class={rowStyles.dueKind}>{due.dueMs === null ? texts.holdLimit : labels[due.kind]}</span>
      <span class={rowStyles.meter} data-tone={due.tone} aria-hidden="true">
        <span style={{ width: `${(100 * due.left).toFixed(1)}%` }} />
      </span>
    </Cell>
  );
}
