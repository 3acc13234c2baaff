/** A call at a given time: its state, its next deadline, its urgency. */

import type { Call, DeadlineKind, Queue } from "../contracts";
import type { ShownState } from "../event-effects";

export type Tone = "calm" | "near" | "past";

export interface Countdown {
  kind: DeadlineKind;
  /** Null if the limit is exceeded, but the time is unknown. */
  dueMs: number | null;
  /** At most the limit, although the page's clock may be a second behind a new deadline. */
  remainingMs: number;
  tone: Tone;
  /** The remaining share of the limit, from 1 to 0. */
  left: number;
}

/** Limits of a queue that is not known yet. */
const DEFAULT_LIMITS = { slaSeconds: 30, answerSeconds: 15, holdSeconds: 60 };
type Limits = Pick<Queue, "slaSeconds" | "answerSeconds" | "holdSeconds">;

/** The last third of a limit counts as near, up to this time, so that a long limit is not amber for hours. */
const MAX_NEAR_MS = 30_000;

interface Times {
  startMs: number;
  waitingMs: number | null;
  dueMs: number | null;
}

const times = new WeakMap<Call, Times>();

function timesOf(call: Call): Times {
  let known = times.get(call);
  if (known === undefined) {
    const dueMs = call.deadline === null ? null : Date.parse(call.deadline.dueAt);
    const waitingMs = call.waitingSince ? Date.parse(call.waitingSince) : null;
    known = { startMs: Date.parse(call.startTime), waitingMs, dueMs };
    times.set(call, known);
  }
  return known;
}

export function startMs(call: Call): number {
  return timesOf(call).startMs;
}

export function stateOf(call: Call): ShownState {
  return call.status === "waiting" && call.offer !== null ? "ringing" : call.status;
}

/** True while a call waits for its first answer. A transferred call has had one. */
function awaitsAnswer(call: Call): boolean {
  return call.status === "waiting" && call.waitSeconds === null;
}

/** The present wait, or the time to the first answer. */
export function waitedMs(call: Call, now: number): number | null {
  const { waitingMs } = timesOf(call);
  if (waitingMs !== null) return Math.max(0, now - waitingMs);
  return call.waitSeconds === null ? null : call.waitSeconds * 1_000;
}

export function isOverWait(waited: number | null, queue: Queue | undefined): boolean {
  return waited !== null && waited > (queue ?? DEFAULT_LIMITS).slaSeconds * 1_000;
}

export function totalMs(call: Call, now: number): number {
  const end = call.endTime === null ? now : Date.parse(call.endTime);
  return Math.max(0, end - startMs(call));
}

export function countdownOf(call: Call, queue: Queue | undefined, now: number): Countdown | null {
  const limits = queue ?? DEFAULT_LIMITS;
  const { dueMs } = timesOf(call);
  if (call.deadline !== null && dueMs !== null) {
    return countdownTo(call.deadline.kind, dueMs, limitMs(call.deadline.kind, limits), now);
  }
  const waitDueMs = startMs(call) + limits.slaSeconds * 1_000;
  if (awaitsAnswer(call)) return countdownTo("sla_wait", waitDueMs, limits.slaSeconds * 1_000, now);
  if (call.status === "on_hold" && call.flags.includes("hold_exceeded")) {
    return { kind: "hold", dueMs: null, remainingMs: 0, tone: "past", left: 0 };
  }
  return null;
}

function countdownTo(kind: DeadlineKind, dueMs: number, limit: number, now: number): Countdown {
  const remainingMs = Math.min(dueMs - now, limit);
  const left = Math.min(1, Math.max(0, remainingMs / limit));
  const near = remainingMs <= Math.min(limit / 3, MAX_NEAR_MS);
  return { kind, dueMs, remainingMs, tone: remainingMs <= 0 ? "past" : near ? "near" : "calm", left };
}

function limitMs(kind: DeadlineKind, limits: Limits): number {
  const seconds = { answer: limits.answerSeconds, sla_wait: limits.slaSeconds, hold: limits.holdSeconds }[
    kind
  ];
  return Math.max(1, seconds) * 1_000;
}

/** True while a target or limit is exceeded now, not if it was exceeded earlier in the call. */
export function isOverTarget(call: Call, queue: Queue | undefined, now: number): boolean {
  if (awaitsAnswer(call)) {
    const limit = (queue ?? DEFAULT_LIMITS).slaSeconds * 1_000;
    if (call.flags.includes("sla_breached") || now - startMs(call) >= limit) return true;
  }
  return countdownOf(call, queue, now)?.tone === "past";
}

/** Smaller is more urgent: calls over target by age, then by next deadline, then waiting calls, then the rest. */
export function urgencyOf(call: Call, queue: Queue | undefined, now: number): [rank: number, at: number] {
  if (isOverTarget(call, queue, now)) return [0, startMs(call)];
  const dueMs = countdownOf(call, queue, now)?.dueMs ?? null;
  if (dueMs !== null) return [1, dueMs];
  return [call.status === "active" ? 3 : 2, startMs(call)];
}
