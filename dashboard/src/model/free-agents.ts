/** Who could take a call at this moment, by the rule that Switchboard itself offers by. */

import type { Agent } from "../contracts";

export type Free = (queueId: string, language: string | null) => readonly Agent[];

/** Asked for each row of a long list, so each question is answered once. The longest idle comes first. */
export function findFreeAgents(agents: Iterable<Agent>): Free {
  const available = [...agents].filter(({ status }) => status === "available");
  available.sort((a, b) => (a.statusSince < b.statusSince ? -1 : 1));
  const answers = new Map<string, readonly Agent[]>();
  return (queueId, language) => {
    const question = `${queueId} ${language ?? ""}`;
    const known = answers.get(question) ?? available.filter((agent) => canTake(agent, queueId, language));
    answers.set(question, known);
    return known;
  };
}

export function canTake(agent: Agent, queueId: string, language: string | null): boolean {
  return agent.queues.includes(queueId) && (language === null || agent.languages.includes(language));
}
