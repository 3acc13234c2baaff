/** Filters, order and grouping of calls. They are part of the address, so that a view can be bookmarked and shared. */

import type { Agent, Call, Flag, Queue } from "../contracts";
import type { ShownState } from "../event-effects";
import { isOverTarget, startMs, stateOf, urgencyOf } from "./call-state";

export const LIVE_STATES = ["waiting", "ringing", "active", "on_hold"] as const satisfies ShownState[];
export const FLAGS = ["sla_breached", "hold_exceeded", "rerouted", "short_call"] as const satisfies Flag[];
export const SORTS = ["urgency", "wait", "newest", "total", "agent"] as const;
export const GROUPINGS = ["queue", "language", "state"] as const;

export type LiveState = (typeof LIVE_STATES)[number];
export type Sort = (typeof SORTS)[number];
export type Grouping = (typeof GROUPINGS)[number];

export interface Filters {
  queue: string | null;
  language: string | null;
  agent: string | null;
  /** Empty means every state. */
  states: readonly LiveState[];
  flag: Flag | null;
  /** Only calls over a target now. */
  breached: boolean;
  text: string;
  sort: Sort;
  group: Grouping | null;
}

export const NO_FILTERS: Filters = {
  queue: null,
  language: null,
  agent: null,
  states: [],
  flag: null,
  breached: false,
  text: "",
  sort: "urgency",
  group: null,
};

export function parseFilters(query: URLSearchParams): Filters {
  const states = (query.get("state") ?? "").split(",");
  return {
    queue: query.get("queue") || null,
    language: query.get("language") || null,
    agent: query.get("agent") || null,
    states: LIVE_STATES.filter((state) => states.includes(state)),
    flag: FLAGS.find((flag) => flag === query.get("flag")) ?? null,
    breached: query.get("breached") === "now",
    text: query.get("text") ?? "",
    sort: SORTS.find((sort) => sort === query.get("sort")) ?? "urgency",
    group: GROUPINGS.find((group) => group === query.get("group")) ?? null,
  };
}

/** As parameters of the address. Null stands for a default. */
export function formatFilters(
  filters: Filters,
): Record<keyof Omit<Filters, "states"> | "state", string | null> {
  return {
    queue: filters.queue,
    language: filters.language,
    agent: filters.agent,
    state: filters.states.join(",") || null,
    flag: filters.flag,
    breached: filters.breached ? "now" : null,
    text: filters.text || null,
    sort: filters.sort === "urgency" ? null : filters.sort,
    group: filters.group,
  };
}

/** True if the filters can hide calls. Order and groups hide none. */
export function hidesCalls(filters: Filters): boolean {
  const parameters = Object.values(formatFilters({ ...filters, sort: "urgency", group: null }));
  return parameters.some((value) => value !== null);
}

/** The given filters within the chosen queue, and no others. */
export function onlyThese(filters: Filters, wanted: Partial<Filters>): Filters {
  return { ...NO_FILTERS, queue: filters.queue, ...wanted };
}

export function isExactly(filters: Filters, wanted: Partial<Filters>): boolean {
  return JSON.stringify(filters) === JSON.stringify(onlyThese(filters, wanted));
}

/** Queues and agents by id. */
export interface Directory {
  queues: ReadonlyMap<string, Queue>;
  agents: ReadonlyMap<string, Agent>;
}

/** The name of a queue or an agent, or the id if it is unknown. */
export function nameOf(items: ReadonlyMap<string, { name: string }>, id: string): string {
  return items.get(id)?.name ?? id;
}

export function selectCalls(
  calls: Iterable<Call>,
  filters: Filters,
  directory: Directory,
  now: number,
): Call[] {
  const text = filters.text.trim().toLowerCase();
  const shown: Call[] = [];
  for (const call of calls) {
    if (matches(call, filters, directory, now) && (text === "" || containsText(text, call, directory)))
      shown.push(call);
  }
  return sortCalls(shown, filters.sort, directory, now);
}

function matches(call: Call, filters: Filters, directory: Directory, now: number): boolean {
  if (filters.queue !== null && call.queueId !== filters.queue) return false;
  if (filters.agent !== null && agentIdOf(call) !== filters.agent) return false;
  if (filters.language !== null && languageOf(call, directory.queues.get(call.queueId)) !== filters.language)
    return false;
  if (filters.states.length > 0 && !filters.states.some((state) => state === stateOf(call))) return false;
  if (filters.flag !== null && !call.flags.includes(filters.flag)) return false;
  return !filters.breached || isOverTarget(call, directory.queues.get(call.queueId), now);
}

function containsText(text: string, call: Call, { queues, agents }: Directory): boolean {
  const contains = (value: string | null | undefined) => value?.toLowerCase().includes(text) === true;
  const queue = queues.get(call.queueId);
  if (contains(call.id) || contains(call.queueId) || contains(queue?.name)) return true;
  const agentId = agentIdOf(call);
  if (agentId !== null && (contains(agentId) || contains(agents.get(agentId)?.name))) return true;
  const language = languageOf(call, queue);
  return contains(language) || contains(languageName(language));
}

/** Sort keys are numbers, because pairs would be too slow for thousands of calls several times a second. */
function sortCalls(calls: Call[], sort: Sort, { queues, agents }: Directory, now: number): Call[] {
  if (sort === "agent") return sortByAgent(calls, agents);
  const keyed = calls.map((call) => ({ call, key: keyOf(call, sort, queues.get(call.queueId), now) }));
  keyed.sort(({ call: a, key: keyA }, { call: b, key: keyB }) => keyA - keyB || (a.id < b.id ? -1 : 1));
  return keyed.map(({ call }) => call);
}

/** Greater than every time in milliseconds, so that the rank decides before the time. */
const RANK_UNIT = 1e14;

function keyOf(call: Call, sort: Sort, queue: Queue | undefined, now: number): number {
  if (sort === "newest") return -startMs(call);
  if (sort === "total") return startMs(call);
  if (sort === "wait") return (call.status === "waiting" ? 0 : RANK_UNIT) + startMs(call);
  const [rank, at] = urgencyOf(call, queue, now);
  return rank * RANK_UNIT + at;
}

/** By the agent's name. Calls without an agent come first. */
function sortByAgent(calls: Call[], agents: ReadonlyMap<string, Agent>): Call[] {
  const agentName = (call: Call) => {
    const id = agentIdOf(call);
    return id === null ? "" : nameOf(agents, id);
  };
  const keyed = calls.map((call) => ({ call, name: agentName(call) }));
  keyed.sort(({ call: a, name: nameA }, { call: b, name: nameB }) => {
    if (nameA !== nameB) return nameA < nameB ? -1 : 1;
    return startMs(a) - startMs(b) || (a.id < b.id ? -1 : 1);
  });
  return keyed.map(({ call }) => call);
}

export function agentIdOf(call: Call): string | null {
  return call.agentId ?? call.offer?.agentId ?? null;
}

/** The language that telephony reported, or that of the queue. */
export function languageOf(call: Call, queue: Queue | undefined): string | null {
  return call.language ?? queue?.language ?? null;
}

const displayNames = new Intl.DisplayNames(["en"], { type: "language", fallback: "none" });
const languageNames = new Map<string, string>();

/** The name of a language tag such as `es` or `es-MX`. Other text is returned unchanged. */
export function languageName(language: string | null): string | null {
  if (language === null) return null;
  let name = languageNames.get(language);
  if (name === undefined) {
    name = /^[a-z]{2,3}(-\w+)*$/i.test(language) ? (displayNames.of(language) ?? language) : language;
    languageNames.set(language, name);
  }
  return name;
}

/** Keeps the end of an id, because ids of one telephony system differ at their ends. */
export function shortId(id: string): string {
  return id.length <= 17 ? id : `${id.slice(0, 6)}…${id.slice(-9)}`;
}
