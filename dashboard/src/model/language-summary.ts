/** Waiting calls and free agents by language. */

import type { Agent, Call, Queue } from "../contracts";
import { isOverTarget, waitedMs } from "./call-state";
import { type Directory, languageOf } from "./filters";

export interface LanguageSummary {
  language: string | null;
  live: number;
  waiting: number;
  /** Waiting calls over a target. */
  overTarget: number;
  longestWaitMs: number | null;
  free: number;
  /** Agents who speak the language and are signed in. */
  present: number;
}

/** Languages with calls over target first, then those with waiting calls. Omits languages without calls and agents. */
export function summarizeLanguages(
  calls: Iterable<Call>,
  { queues, agents }: Directory,
  now: number,
): LanguageSummary[] {
  const summaries = new Map<string | null, LanguageSummary>();
  const at = (language: string | null) => {
    const entry = summaries.get(language) ?? emptyEntry(language);
    summaries.set(language, entry);
    return entry;
  };
  for (const { language } of queues.values()) if (language !== null) at(language);
  for (const call of calls) {
    const queue = queues.get(call.queueId);
    count(at(languageOf(call, queue)), call, queue, now);
  }
  for (const agent of agents.values()) countAgent(summaries, agent);
  return [...summaries.values()].filter(({ live, present }) => live + present > 0).sort(byNeed);
}

function emptyEntry(language: string | null): LanguageSummary {
  return { language, live: 0, waiting: 0, overTarget: 0, longestWaitMs: null, free: 0, present: 0 };
}

function count(entry: LanguageSummary, call: Call, queue: Queue | undefined, now: number): void {
  entry.live++;
  if (call.status !== "waiting") return;
  entry.waiting++;
  if (isOverTarget(call, queue, now)) entry.overTarget++;
  entry.longestWaitMs = Math.max(entry.longestWaitMs ?? 0, waitedMs(call, now) ?? 0);
}

function countAgent(summaries: ReadonlyMap<string | null, LanguageSummary>, agent: Agent): void {
  for (const language of agent.languages) {
    const entry = summaries.get(language);
    if (entry === undefined || agent.status === "offline") continue;
    entry.present++;
    if (agent.status === "available") entry.free++;
  }
}

/** The order does not depend on wait times, so that cards do not change places every second. */
function byNeed(a: LanguageSummary, b: LanguageSummary): number {
  return (
    Number(b.overTarget > 0) - Number(a.overTarget > 0) ||
    Number(b.waiting > 0) - Number(a.waiting > 0) ||
    ((a.language ?? "~") < (b.language ?? "~") ? -1 : 1)
  );
}
