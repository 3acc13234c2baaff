/** The agents who missed offers, by call, from the events of the feed and of histories. */

import type { Call, Event } from "../contracts";
import { MISSES } from "../event-effects";

const NONE: readonly string[] = [];

export class MissedOffers {
  private readonly byCall = new Map<string, Map<string, string | null>>();
  private readonly requested = new Set<string>();
  private reading: Promise<void> = Promise.resolve();

  /** `read` returns a call's history. `onRead` is called after one was read. */
  constructor(
    private readonly read: (callId: string) => Promise<readonly Event[]>,
    private readonly onRead: () => void,
  ) {}

  /** A later copy of an event may mark it void. */
  receive(events: readonly Event[]): void {
    for (const event of events) {
      if (event.type === "call_ended") this.forget(event.callId);
      if (!MISSES.has(event.type)) continue;
      const misses = this.byCall.get(event.callId) ?? new Map<string, string | null>();
      const { agentId } = event.metadata;
      misses.set(event.id, typeof agentId === "string" && !event.void ? agentId : null);
      this.byCall.set(event.callId, misses);
    }
  }

  /** The ids of the agents who missed the call, each once, in order. */
  missedBy({ id: callId, flags }: Call): readonly string[] {
    if (flags.includes("rerouted")) this.request(callId);
    const misses = this.byCall.get(callId);
    if (misses === undefined) return NONE;
    return [...new Set([...misses.values()].filter((agentId) => agentId !== null))];
  }

  /** Reads the history of a call that was re-routed before the page was opened. One at a time, each once. */
  private request(callId: string): void {
    if (this.requested.has(callId)) return;
    this.requested.add(callId);
    // After an error, the feed still reports later misses.
    this.reading = this.reading.then(() => this.readHistory(callId)).catch(() => undefined);
  }

  private async readHistory(callId: string): Promise<void> {
    if (!this.requested.has(callId)) return;
    this.receive(await this.read(callId));
    this.onRead();
  }

  /** Forgets calls that are not live. Their end may have been lost in a gap of the feed. */
  keepOnly(live: ReadonlyMap<string, Call>): void {
    for (const known of [this.byCall, this.requested]) {
      for (const callId of known.keys()) if (!live.has(callId)) this.forget(callId);
    }
  }

  /** Resolves when no read is in progress. */
  settled(): Promise<void> {
    return this.reading;
  }

  private forget(callId: string): void {
    this.byCall.delete(callId);
    this.requested.delete(callId);
  }
}
