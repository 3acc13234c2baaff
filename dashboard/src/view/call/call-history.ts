/** The open call's history: read when it is opened, then kept by updates. */

import { signal } from "@preact/signals";
import type { Call, Event } from "../../contracts";
import { type Api, ApiError } from "../../feed/api";

export type HistoryState = "loading" | "ready" | "failed" | "gone";

/** A burst of updates leads to one read. */
const REREAD_AFTER_MS = 400;
const RETRY_MS = 5_000;

export class CallHistory {
  readonly state = signal<HistoryState>("loading");
  readonly call = signal<Call | null>(null);
  readonly events = signal<readonly Event[]>([]);
  private readonly stop = new AbortController();
  private rereadTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly callId: string,
    private readonly api: Api,
    shown: Call | null,
  ) {
    this.call.value = shown;
    void this.read();
  }

  close(): void {
    this.stop.abort();
    clearTimeout(this.rereadTimer);
  }

  /** Frames tell at once; the read behind them also tells which older events have become void. */
  receive(calls: readonly Call[], events: readonly Event[]): void {
    const news = events.filter(({ callId }) => callId === this.callId);
    if (news.length > 0) this.events.value = merged(this.events.value, news);
    for (const call of calls) if (call.id === this.callId) this.put(call);
  }

  put(call: Call): void {
    const known = this.call.value;
    if (known !== null && known.version >= call.version) return;
    this.call.value = call;
    this.rereadSoon();
  }

  /** Also where the floor no longer shows the call, though no frame said why. */
  rereadSoon(afterMs = REREAD_AFTER_MS): void {
    this.rereadTimer ??= setTimeout(() => void this.read(), afterMs);
  }

  async read(): Promise<void> {
    const { signal: stopped } = this.stop;
    clearTimeout(this.rereadTimer);
    this.rereadTimer = undefined;
    try {
      const [call, events] = await Promise.all([
        this.api.call(this.callId, stopped),
        this.api.callEvents(this.callId, stopped),
      ]);
      if (call.version >= (this.call.value?.version ?? 0)) this.call.value = call;
      this.events.value = merged(this.events.value, events);
      this.state.value = "ready";
    } catch (error) {
      if (stopped.aborted) return;
      const isGone = error instanceof ApiError && error.problem?.status === 404;
      if (this.state.value !== "ready") this.state.value = isGone ? "gone" : "failed";
      if (!isGone) this.rereadSoon(RETRY_MS); // What it would have told, no later frame may tell.
    }
  }
}

/** Each event by its highest version: a late copy of an event that became void does not make it valid again. */
export function merged(known: readonly Event[], news: readonly Event[]): Event[] {
  const byId = new Map(known.map((event) => [event.id, event]));
  for (const event of news) {
    const held = byId.get(event.id);
    if (held === undefined || (held.version ?? 0) <= (event.version ?? 0)) byId.set(event.id, event);
  }
  return [...byId.values()].sort((a, b) => momentOf(a) - momentOf(b) || a.recordId - b.recordId);
}

function momentOf(event: Event): number {
  return Date.parse(event.timestamp);
}
