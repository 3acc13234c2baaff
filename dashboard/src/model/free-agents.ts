/** Agents who could take a call now, by the rule by which Switchboard offers calls. */

import type { Agent } from "../contracts";

export type FindFree = (queueId: string, language: string | null) => readonly Agent[];

/** The function caches its answers, because each row of the list calls it. The longest idle agent comes first. */
export function findFreeAgents(agents: Iterable<Agent>): FindFree {
  const available = [...agents].filter(({ status }) => status === "available");
  available.sort((a, b) => (a.statusSince < b.statusSince ? -1 : 1));
  const cache = new Map<string, readonly Agent[]>();
  return (queueId, language) => {
    const key = `${queueId} ${language ?? ""}`;
    const known = cache.get(key) ?? available.filter((agent) => canTake(agent, queueId, language));
    cache.set(key, known);
    return known;
  };
}

export function canTake(agent: Agent, queueId: string, language: string | null): boolean {
  return agent.queues.includes(queueId) && (language === null || agent.languages.includes(language));
}
