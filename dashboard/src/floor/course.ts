/** A call's course as stretches of one state each, from its history. */

import type { Event } from "../contracts";
import type { ShownState } from "./facts";

export interface Stretch {
  state: Exclude<ShownState, "ended">;
  fromMs: number;
  toMs: number;
}

const STATE_AFTER: Record<string, ShownState> = {
  call_initiated: "waiting",
  call_routed: "ringing",
  call_offered: "ringing",
  call_rerouted: "ringing",
  call_no_answer: "waiting",
  answer_timed_out: "waiting",
  call_answered: "active",
  call_hold: "on_hold",
  call_resumed: "active",
  call_ended: "ended",
};

export function eventMs(event: Event): number {
  return Date.parse(event.occurredAt ?? event.timestamp);
}

export function courseOf(events: readonly Event[], now: number): Stretch[] {
  const turns = turnsOf(events);
  return turns.flatMap(({ state, fromMs }, index) => {
    const toMs = turns[index + 1]?.fromMs ?? now;
    return state === "ended" || toMs <= fromMs ? [] : [{ state, fromMs, toMs }];
  });
}

interface Turn {
  state: ShownState;
  fromMs: number;
}

function turnsOf(events: readonly Event[]): Turn[] {
  const turns: Turn[] = [];
  for (const event of events) {
    const state = event.void ? undefined : STATE_AFTER[event.type];
    if (state !== undefined && state !== turns.at(-1)?.state) turns.push({ state, fromMs: eventMs(event) });
  }
  return turns;
}
