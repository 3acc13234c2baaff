/** The history of the open call: read when it is opened, then updated by frames. */

import { signal } from "@preact/signals";
import type { Call, Event } from "../../contracts";
import { type Api, ApiError } from "../../feed/api";

export type HistoryState = "loading" | "ready" | "failed" | "gone";

/** Updates within this time lead to one read. */
const REREAD_AFTER_MS = 400;
const RETRY_MS = 5_000;

export class CallHistory {
  readonly state = signal<HistoryState>("loading");
  readonly call = signal<Call | null>(null);
  readonly events = signal<readonly Event[]>([]);
  private readonly abort = new AbortController();
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
    this.abort.abort();
    clearTimeout(this.rereadTimer);
  }

  /** Applies a frame. The read that follows also shows which older events became void. */
  receive(calls: readonly Call[], events: readonly Event[]): void {
    const added = events.filter(({ callId }) => callId === this.callId);
    if (added.length > 0) this.events.value = merged(this.events.value, added);
    for (const call of calls) if (call.id === this.callId) this.put(call);
  }

  put(call: Call): void {
    const known = this.call.value;
    if (known !== null && known.version >= call.version) return;
    this.call.value = call;
    this.rereadSoon();
  }

  /** Also called when the call left the live calls without a frame. */
  rereadSoon(afterMs = REREAD_AFTER_MS): void {
    this.rereadTimer ??= setTimeout(() => void this.read(), afterMs);
  }

  async read(): Promise<void> {
    const { signal } = this.abort;
    clearTimeout(this.rereadTimer);
    this.rereadTimer = undefined;
    try {
      const [call, events] = await Promise.all([
        this.api.call(this.callId, signal),
        this.api.callEvents(this.callId, signal),
      ]);
      if (call.version >= (this.call.value?.version ?? 0)) this.call.value = call;
      this.events.value = merged(this.events.value, events);
      this.state.value = "ready";
    } catch (error) {
      if (signal.aborted) return;
      const isGone = error instanceof ApiError && error.problem?.status === 404;
      if (this.state.value !== "ready") this.state.value = isGone ? "gone" : "failed";
      if (!isGone) this.rereadSoon(RETRY_MS); // No later frame may contain what this read missed.
    }
  }
}

/** Merges events by id. The highest version wins, so that a late copy of a void event does not make it valid again. */
export function merged(known: readonly Event[], added: readonly Event[]): Event[] {
  const byId = new Map(known.map((event) => [event.id, event]));
  for (const event of added) {
    const held = byId.get(event.id);
    if (held === undefined || (held.version ?? 0) <= (event.version ?? 0)) byId.set(event.id, event);
  }
  return [...byId.values()].sort((a, b) => timeOf(a) - timeOf(b) || a.recordId - b.recordId);
}

function timeOf(event: Event): number {
  return Date.parse(event.timestamp);
}
