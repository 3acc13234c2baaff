/** The REST reads of the page. */

import type {
  Agent,
  AgentList,
  Call,
  CallPage,
  Changes,
  Event,
  EventPage,
  Problem,
  Queue,
  QueueList,
} from "../contracts";

const PAGE_LIMIT = 500;
const TIMEOUT_MS = 15_000;
export const LIVE_STATUSES = "waiting,active,on_hold";

/** Why the session ended. Only another token helps. */
export type Halt = "session_ended" | "forbidden";

/** An answer other than 2xx. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem | null,
  ) {
    super(problem?.detail ?? problem?.title ?? `The API answered ${status}.`);
  }

  get halt(): Halt | null {
    if (this.status === 401) return "session_ended";
    return this.status === 403 ? "forbidden" : null;
  }
}

export interface ApiOptions {
  base: string;
  token: string;
  fetch: typeof fetch;
  localNow: () => number;
  /** Called with each response's `Date`, and the times of the request and the response. */
  onDate: (date: string | null, sentAt: number, receivedAt: number) => void;
}

interface TaggedChanges {
  tag: string;
  changes: Changes;
}

const NOT_MODIFIED = 304;
const UNREADABLE = "The API's response is not valid.";

/** Replaces errors of the browser, such as "Failed to fetch", by the same message in all browsers. */
async function withMessage<T>(work: Promise<T>, message: string, signal?: AbortSignal): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw signal?.aborted === true ? error : new Error(message, { cause: error });
  }
}

export class Api {
  /** The answer of the last poll, for conditional requests. */
  private lastChanges: TaggedChanges | null = null;

  constructor(private readonly options: ApiOptions) {}

  async queues(signal?: AbortSignal): Promise<Queue[]> {
    return (await this.get<QueueList>("/api/queues", signal)).data;
  }

  async agents(signal?: AbortSignal): Promise<Agent[]> {
    return (await this.get<AgentList>("/api/agents", signal)).data;
  }

  /** The pages of the live calls. */
  async *liveCalls(signal?: AbortSignal): AsyncGenerator<CallPage> {
    let cursor: string | null = null;
    do {
      const page: CallPage = await this.get(
        withQuery("/api/calls", { status: LIVE_STATUSES, limit: `${PAGE_LIMIT}`, cursor }),
        signal,
      );
      yield page;
      cursor = page.nextCursor;
    } while (cursor !== null);
  }

  /** The changes since a position. `reset` means that they are not available. */
  async changes(since: number, signal?: AbortSignal): Promise<Changes> {
    const headers: Record<string, string> =
      this.lastChanges === null ? {} : { "if-none-match": this.lastChanges.tag };
    const answer = await this.request(`/api/calls?since=${since}`, { headers }, signal);
    if (answer.status === NOT_MODIFIED && this.lastChanges !== null) return this.lastChanges.changes;
    const changes = (await withMessage(answer.json(), UNREADABLE, signal)) as Changes;
    const tag = answer.headers.get("etag");
    this.lastChanges = tag === null ? null : { tag, changes };
    return changes;
  }

  async call(id: string, signal?: AbortSignal): Promise<Call> {
    return this.get(`/api/calls/${encodeURIComponent(id)}`, signal);
  }

  async callEvents(id: string, signal?: AbortSignal): Promise<Event[]> {
    const events: Event[] = [];
    let cursor: string | null = null;
    do {
      const path = `/api/calls/${encodeURIComponent(id)}/events`;
      const page: EventPage = await this.get(withQuery(path, { cursor }), signal);
      events.push(...page.data);
      cursor = page.nextCursor;
    } while (cursor !== null);
    return events;
  }

  async get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return this.send(path, {}, signal);
  }

  async post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
    const headers = { "content-type": "application/json" };
    return this.send(path, { method: "POST", headers, body: JSON.stringify(body) }, signal);
  }

  private async send<T>(path: string, init: RequestInit, signal?: AbortSignal): Promise<T> {
    const answer = await this.request(path, init, signal);
    return (await withMessage(answer.json(), UNREADABLE, signal)) as T;
  }

  private async request(path: string, init: RequestInit, signal?: AbortSignal): Promise<Response> {
    const { base, token, localNow, onDate } = this.options;
    const sentAt = localNow();
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    const response = this.options.fetch(`${base.replace(/\/$/, "")}${path}`, {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${token}` },
      cache: "no-store",
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    const answer = await withMessage(response, "The API does not answer.", signal);
    onDate(answer.headers.get("date"), sentAt, localNow());
    if (answer.ok || answer.status === NOT_MODIFIED) return answer;
    throw new ApiError(answer.status, await readProblem(answer));
  }
}

/** Adds the parameters that have a value. */
export function withQuery(path: string, parameters: Record<string, string | null | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value != null) query.set(name, value);
  const text = query.toString();
  return text === "" ? path : `${path}?${text}`;
}

/** The problem document, or null if the response is not from the API. */
async function readProblem(answer: Response): Promise<Problem | null> {
  if (!answer.headers.get("content-type")?.startsWith("application/problem+json")) return null;
  try {
    return (await answer.json()) as Problem;
  } catch {
    return null;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
