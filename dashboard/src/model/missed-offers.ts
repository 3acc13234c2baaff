/** Whose phone rang in vain, by call, from the events that the feed tells. */

import type { Call, Event } from "../contracts";
import { MISSES } from "../event-effects";

const NOBODY: readonly string[] = [];

export class MissedOffers {
  private readonly byCall = new Map<string, Map<string, string | null>>();
  private readonly asked = new Set<string>();
  private reading: Promise<void> = Promise.resolve();

  /** `read` answers a call's history; `onRead` hears that one has told its misses. */
  constructor(
    private readonly read: (callId: string) => Promise<readonly Event[]>,
    private readonly onRead: () => void,
  ) {}

  /** A later copy of an event may say that a late answer disproved it. */
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

  /** Each agent once, in the order of their misses. */
  missedBy({ id: callId, flags }: Call): readonly string[] {
    if (flags.includes("rerouted")) this.ask(callId);
    const misses = this.byCall.get(callId);
    if (misses === undefined) return NOBODY;
    return [...new Set([...misses.values()].filter((agentId) => agentId !== null))];
  }

  /** A call that was passed on before the page was opened: its history tells by whom. One at a time, each once. */
  private ask(callId: string): void {
    if (this.asked.has(callId)) return;
    this.asked.add(callId);
    this.reading = this.reading.then(() => this.learn(callId)).catch(() => undefined); // The feed still tells of the next.
  }

  private async learn(callId: string): Promise<void> {
    if (!this.asked.has(callId)) return;
    this.receive(await this.read(callId));
    this.onRead();
  }

  /** Lets go of calls that are gone, also where no event told of their end: it may have fallen into a gap of the feed. */
  keepOnly(live: ReadonlyMap<string, Call>): void {
    for (const known of [this.byCall, this.asked]) {
      for (const callId of known.keys()) if (!live.has(callId)) this.forget(callId);
    }
  }

  /** When nothing is being read any more. */
  settled(): Promise<void> {
    return this.reading;
  }

  private forget(callId: string): void {
    this.byCall.delete(callId);
    this.asked.delete(callId);
  }
}
