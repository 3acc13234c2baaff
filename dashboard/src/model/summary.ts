/** The figures on the tiles. */

import type { Call, Queue } from "../contracts";
import { countdownOf, isBreached, stateOf, waitedMs } from "./call-state";

export interface Figures {
  total: number;
  waiting: number;
  ringing: number;
  active: number;
  onHold: number;
  overHold: number;
  breached: number;
  longestWaitMs: number | null;
  /** The queue in which somebody waits longest. */
  longestWaitQueue: string | null;
}

export function summarize(
  calls: Iterable<Call>,
  queues: ReadonlyMap<string, Queue>,
  queueId: string | null,
  now: number,
): Figures {
  const figures: Figures = {
    total: 0,
    waiting: 0,
    ringing: 0,
    active: 0,
    onHold: 0,
    overHold: 0,
    breached: 0,
    longestWaitMs: null,
    longestWaitQueue: null,
  };
  for (const call of calls) {
    if (queueId === null || call.queueId === queueId) count(figures, call, queues.get(call.queueId), now);
  }
  return figures;
}

function count(figures: Figures, call: Call, queue: Queue | undefined, now: number): void {
  figures.total++;
  if (call.status === "active") figures.active++;
  if (call.status === "on_hold") {
    figures.onHold++;
    if (countdownOf(call, queue, now)?.tone === "past") figures.overHold++;
  }
  if (call.status === "waiting") {
    figures.waiting++;
    if (stateOf(call) === "ringing") figures.ringing++;
    const waited = waitedMs(call, now) ?? 0;
    if (figures.longestWaitMs === null || waited > figures.longestWaitMs) {
      figures.longestWaitMs = waited;
      figures.longestWaitQueue = queue?.name ?? call.queueId;
    }
  }
  if (isBreached(call, queue, now)) figures.breached++;
}
