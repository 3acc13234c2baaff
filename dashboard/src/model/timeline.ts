/** A call's timeline from its history: states, offers, holds, and the times of its flags. */

import type { Call, Event, Flag, Queue } from "../contracts";
import { MISSES, OFFERS, RAISED_BY, type ShownState, STATE_AFTER } from "../event-effects";

interface Span {
  fromMs: number;
  toMs: number;
}

export interface StateSpan extends Span {
  state: Exclude<ShownState, "ended">;
}

export type OfferOutcome = "ringing" | "answered" | "missed" | "withdrawn";

export interface OfferSpan extends Span {
  agentId: string;
  outcome: OfferOutcome;
}

export interface HoldSpan extends Span {
  /** When it became too long, or null. */
  exceededMs: number | null;
}

export interface FlagMoment {
  flag: Flag;
  atMs: number;
  /** The event that raised it was cancelled by a later correction. */
  isVoid: boolean;
}

export function eventMs(event: Event): number {
  return Date.parse(event.occurredAt ?? event.timestamp);
}

/** The spans between changes of state. `untilMs` is now, or the call's end. */
export function stateSpansOf(events: readonly Event[], untilMs: number): StateSpan[] {
  const changes = stateChangesOf(events);
  return changes.flatMap(({ state, fromMs }, index) => {
    const toMs = changes[index + 1]?.fromMs ?? untilMs;
    return state === "ended" || toMs <= fromMs ? [] : [{ state, fromMs, toMs }];
  });
}

interface StateChange {
  state: ShownState;
  fromMs: number;
}

function stateChangesOf(events: readonly Event[]): StateChange[] {
  const changes: StateChange[] = [];
  for (const event of validOf(events)) {
    const state = stateAfter(event);
    if (state !== undefined && state !== changes.at(-1)?.state)
      changes.push({ state, fromMs: eventMs(event) });
  }
  return changes;
}

function stateAfter(event: Event): ShownState | undefined {
  return offersToAgent(event) ? "ringing" : STATE_AFTER[event.type];
}

export function offersOf(events: readonly Event[], untilMs: number): OfferSpan[] {
  const offers: OfferSpan[] = [];
  let open: OfferSpan | null = null;
  const close = (outcome: OfferOutcome, atMs: number) => {
    if (open !== null) Object.assign(open, { outcome, toMs: atMs });
    open = null;
  };
  for (const event of validOf(events)) {
    const atMs = eventMs(event);
    const agentId = agentOf(event);
    if (MISSES.has(event.type)) close("missed", atMs);
    else if (event.type === "call_answered") close("answered", atMs);
    else if (event.type === "call_ended") close("withdrawn", atMs);
    else if (agentId !== null && offersToAgent(event)) {
      close("withdrawn", atMs);
      open = { agentId, fromMs: atMs, toMs: Math.max(atMs, untilMs), outcome: "ringing" };
      offers.push(open);
    }
  }
  return offers;
}

/** A hold that was reported with its duration ended when it was reported, unless a later event shows that it lasted. */
export function holdsOf(events: readonly Event[], untilMs: number, limitSeconds: number): HoldSpan[] {
  const turns = validOf(events).filter((event) => stateAfter(event) !== undefined);
  return turns.flatMap((event, index) => {
    if (event.type !== "call_hold") return [];
    const atMs = eventMs(event);
    const next = turns[index + 1];
    const { holdDuration } = event.metadata;
    const reportedMs = typeof holdDuration === "number" ? holdDuration * 1_000 : 0;
    const isOngoing = reportedMs === 0 || next?.type === "call_resumed";
    const fromMs = isOngoing ? atMs : atMs - reportedMs;
    const toMs = isOngoing ? Math.max(next === undefined ? untilMs : eventMs(next), atMs + reportedMs) : atMs;
    const dueMs = fromMs + limitSeconds * 1_000;
    return [{ fromMs, toMs, exceededMs: toMs > dueMs ? dueMs : null }];
  });
}

/** The time of each flag: that of the event that raised it, or else computed from the call and its queue. */
export function flagsOf(
  call: Call,
  events: readonly Event[],
  queue: Queue | undefined,
  untilMs: number,
): FlagMoment[] {
  const raised = events.flatMap((event) => {
    const flag = RAISED_BY[event.type];
    return flag === undefined ? [] : [{ flag, atMs: eventMs(event), isVoid: event.void }];
  });
  const withoutEvent = call.flags.filter(
    (flag) => !raised.some((each) => each.flag === flag && !each.isVoid),
  );
  const inferred = withoutEvent.map((flag) => ({
    flag,
    atMs: inferredMs(flag, call, events, queue, untilMs),
    isVoid: false,
  }));
  return [...raised, ...inferred].sort((a, b) => a.atMs - b.atMs);
}

function inferredMs(
  flag: Flag,
  call: Call,
  events: readonly Event[],
  queue: Queue | undefined,
  untilMs: number,
): number {
  const startMs = Date.parse(call.startTime);
  if (flag === "sla_breached") return startMs + (queue?.slaSeconds ?? 30) * 1_000;
  if (flag === "rerouted") return offersOf(events, untilMs)[1]?.fromMs ?? startMs;
  const holds = holdsOf(events, untilMs, queue?.holdSeconds ?? 60);
  return (
    (flag === "hold_exceeded" ? holds.find((hold) => hold.exceededMs !== null)?.exceededMs : null) ?? untilMs
  );
}

function validOf(events: readonly Event[]): Event[] {
  return events.filter((event) => !event.void);
}

function offersToAgent(event: Event): boolean {
  return OFFERS.has(event.type) && agentOf(event) !== null;
}

function agentOf({ metadata: { agentId } }: Event): string | null {
  return typeof agentId === "string" ? agentId : null;
}
