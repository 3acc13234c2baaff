/** The rows of the call list: calls, with a header before each group. */

import type { Call, Queue } from "../contracts";
import { isOverTarget, stateOf, waitedMs } from "./call-state";
import { type Grouping, languageOf } from "./filters";

export interface Group {
  grouping: Grouping;
  /** The id of a queue, a language tag or a state. Empty if the call has none. */
  key: string;
  total: number;
  waiting: number;
  overTarget: number;
  longestWaitMs: number | null;
}

export type Entry = { group: Group; call?: never } | { call: Call; group?: never };

/** Groups have the order of their first calls, so that the most urgent group is first. Calls keep their order. */
export function entriesOf(
  calls: readonly Call[],
  grouping: Grouping | null,
  queues: ReadonlyMap<string, Queue>,
  now: number,
): Entry[] {
  if (grouping === null) return calls.map((call) => ({ call }));
  const groups = new Map<string, Entry[]>();
  for (const call of calls) {
    const queue = queues.get(call.queueId);
    const key = keyOf(call, grouping, queue);
    let entries = groups.get(key);
    if (entries === undefined) {
      entries = [{ group: { grouping, key, total: 0, waiting: 0, overTarget: 0, longestWaitMs: null } }];
      groups.set(key, entries);
    }
    if (entries[0]?.group !== undefined) count(entries[0].group, call, queue, now);
    entries.push({ call });
  }
  return [...groups.values()].flat();
}

function keyOf(call: Call, grouping: Grouping, queue: Queue | undefined): string {
  if (grouping === "queue") return call.queueId;
  return grouping === "state" ? stateOf(call) : (languageOf(call, queue) ?? "");
}

function count(group: Group, call: Call, queue: Queue | undefined, now: number): void {
  group.total++;
  if (isOverTarget(call, queue, now)) group.overTarget++;
  if (call.status !== "waiting") return;
  group.waiting++;
  group.longestWaitMs = Math.max(group.longestWaitMs ?? 0, waitedMs(call, now) ?? 0);
}
