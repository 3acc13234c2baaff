/** Whose phone rang in vain, by call, from the events that the feed tells. */

import type { Event } from "../contracts";

const MISSES = new Set(["answer_timed_out", "call_no_answer"]);
const NOBODY: readonly string[] = [];

export class Attempts {
  private readonly byCall = new Map<string, Map<string, string | null>>();

  /** A later copy of an event may say that a late answer disproved it. */
  hear(events: readonly Event[]): void {
    for (const event of events) {
      if (event.type === "call_ended") this.byCall.delete(event.callId);
      if (!MISSES.has(event.type)) continue;
      const misses = this.byCall.get(event.callId) ?? new Map<string, string | null>();
      const { agentId } = event.metadata;
      misses.set(event.id, typeof agentId === "string" && !event.void ? agentId : null);
      this.byCall.set(event.callId, misses);
    }
  }

  /** Each agent once, in the order of their misses. */
  missedBy(callId: string): readonly string[] {
    const misses = this.byCall.get(callId);
    if (misses === undefined) return NOBODY;
    return [...new Set([...misses.values()].filter((agentId) => agentId !== null))];
  }
}
