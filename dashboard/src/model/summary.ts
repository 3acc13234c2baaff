/** Counts of the live calls. */

import type { Call, Queue } from "../contracts";
import { countdownOf, isOverTarget, stateOf, waitedMs } from "./call-state";

export interface Summary {
  total: number;
  waiting: number;
  ringing: number;
  active: number;
  onHold: number;
  overHold: number;
  overTarget: number;
  longestWaitMs: number | null;
  /** The name of the queue with the longest wait. */
  longestWaitQueue: string | null;
}

export function summarize(
  calls: Iterable<Call>,
  queues: ReadonlyMap<string, Queue>,
  queueId: string | null,
  now: number,
): Summary {
  const summary: Summary = {
    total: 0,
    waiting: 0,
    ringing: 0,
    active: 0,
    onHold: 0,
    overHold: 0,
    overTarget: 0,
    longestWaitMs: null,
    longestWaitQueue: null,
  };
  for (const call of calls) {
    if (queueId === null || call.queueId === queueId) count(summary, call, queues.get(call.queueId), now);
  }
  return summary;
}

function count(summary: Summary, call: Call, queue: Queue | undefined, now: number): void {
  summary.total++;
  if (call.status === "active") summary.active++;
  if (call.status === "on_hold") {
    summary.onHold++;
    if (countdownOf(call, queue, now)?.tone === "past") summary.overHold++;
  }
  if (call.status === "waiting") {
    summary.waiting++;
    if (stateOf(call) === "ringing") summary.ringing++;
    const waited = waitedMs(call, now) ?? 0;
    if (summary.longestWaitMs === null || waited > summary.longestWaitMs) {
      summary.longestWaitMs = waited;
      summary.longestWaitQueue = queue?.name ?? call.queueId;
    }
  }
  if (isOverTarget(call, queue, now)) summary.overTarget++;
}
