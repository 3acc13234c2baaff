/** Filters and order of the agent list. */

import type { Agent, AgentStatus } from "../contracts";

export const AGENT_STATUSES = [
  "available",
  "offered",
  "on_call",
  "wrap_up",
  "away",
  "offline",
] as const satisfies AgentStatus[];

export interface AgentFilters {
  queue: string | null;
  language: string | null;
  statuses: readonly AgentStatus[];
  text: string;
}

export function parseAgentFilters(query: URLSearchParams): AgentFilters {
  const statuses = (query.get("status") ?? "").split(",");
  return {
    queue: query.get("queue") || null,
    language: query.get("language") || null,
    statuses: AGENT_STATUSES.filter((status) => statuses.includes(status)),
    text: query.get("text") ?? "",
  };
}

/** Agents that match all filters but the state. */
export function matchingAgents(agents: Iterable<Agent>, filters: AgentFilters): Agent[] {
  return [...agents].filter((agent) => matches(agent, filters));
}

function matches(agent: Agent, { queue, language, text }: AgentFilters): boolean {
  if (queue !== null && !agent.queues.includes(queue)) return false;
  if (language !== null && !agent.languages.includes(language)) return false;
  return text === "" || `${agent.id} ${agent.name}`.toLowerCase().includes(text.trim().toLowerCase());
}

/** By state, then by time in the state, the longest first. */
export function sortAgents(agents: readonly Agent[], statuses: readonly AgentStatus[]): Agent[] {
  const shown = agents.filter(({ status }) => statuses.length === 0 || statuses.includes(status));
  const rank = (agent: Agent) => AGENT_STATUSES.indexOf(agent.status);
  return shown.sort(
    (a, b) =>
      rank(a) - rank(b) || Date.parse(a.statusSince) - Date.parse(b.statusSince) || (a.id < b.id ? -1 : 1),
  );
}

export function countByStatus(agents: readonly Agent[]): Record<AgentStatus, number> {
  const counts = { available: 0, offered: 0, on_call: 0, wrap_up: 0, away: 0, offline: 0 };
  for (const { status } of agents) counts[status]++;
  return counts;
}
