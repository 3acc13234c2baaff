/** The floor by language: who waits, for how long, and who could take it. What a wall screen is glanced at for. */

import type { Agent, Call, Queue } from "../contracts";
import { isBreached, waitedMs } from "./call-state";
import { languageOf } from "./filters";

export interface LanguageSummary {
  language: string | null;
  live: number;
  waiting: number;
  /** Of those who wait: a hold that is too long needs nobody else. */
  breached: number;
  longestWaitMs: number | null;
  free: number;
  /** Who speaks the language and is not offline. */
  present: number;
}

interface Names {
  queues: ReadonlyMap<string, Queue>;
  agents: ReadonlyMap<string, Agent>;
}

/** Where somebody waits too long first, then where somebody waits. A language that nobody calls in or speaks is left out. */
export function summarizeLanguages(
  calls: Iterable<Call>,
  { queues, agents }: Names,
  now: number,
): LanguageSummary[] {
  const board = new Map<string | null, LanguageSummary>();
  const at = (language: string | null) => {
    const entry = board.get(language) ?? emptyEntry(language);
    board.set(language, entry);
    return entry;
  };
  for (const { language } of queues.values()) if (language !== null) at(language);
  for (const call of calls) {
    const queue = queues.get(call.queueId);
    count(at(languageOf(call, queue)), call, queue, now);
  }
  for (const agent of agents.values()) countAgent(board, agent);
  return [...board.values()].filter(({ live, present }) => live + present > 0).sort(byNeed);
}

function emptyEntry(language: string | null): LanguageSummary {
  return { language, live: 0, waiting: 0, breached: 0, longestWaitMs: null, free: 0, present: 0 };
}

function count(entry: LanguageSummary, call: Call, queue: Queue | undefined, now: number): void {
  entry.live++;
  if (call.status !== "waiting") return;
  entry.waiting++;
  if (isBreached(call, queue, now)) entry.breached++;
  entry.longestWaitMs = Math.max(entry.longestWaitMs ?? 0, waitedMs(call, now) ?? 0);
}

function countAgent(board: ReadonlyMap<string | null, LanguageSummary>, agent: Agent): void {
  for (const language of agent.languages) {
    const entry = board.get(language);
    if (entry === undefined || agent.status === "offline") continue;
    entry.present++;
    if (agent.status === "available") entry.free++;
  }
}

/** Steady while nothing but seconds pass: cards that swap places by the second cannot be read. */
function byNeed(a: LanguageSummary, b: LanguageSummary): number {
  return (
    Number(b.breached > 0) - Number(a.breached > 0) ||
    Number(b.waiting > 0) - Number(a.waiting > 0) ||
    ((a.language ?? "~") < (b.language ?? "~") ? -1 : 1)
  );
}
