/** A made-up call centre: calls that walk through their lives, with the API's shapes. For development and tests only. */

import type { Agent, Call, CallType, Event, EventSource, Flag, Queue } from "../../src/contracts";

export interface Change {
  call: Call;
  events: Event[];
  agents: Agent[];
  position: number;
}

const QUEUES: [string, string, string][] = [
  ["medical_spanish", "Medical Spanish", "es"],
  ["medical_english", "Medical English", "en"],
  ["legal_spanish", "Legal Spanish", "es"],
  ["legal_english", "Legal English", "en"],
];
const NAMES = ["Ana Ruiz", "Ben Okafor", "Clara Lindqvist", "Diego Santos", "Elif Kaya", "Farah Nasser"];

export class World {
  readonly queues: Queue[] = QUEUES.map(([id, name, language]) => ({
    id,
    name,
    language,
    slaSeconds: 30,
    answerSeconds: 15,
    holdSeconds: 60,
    shortCallSeconds: 10,
    wrapUpSeconds: 20,
    routing: "telephony",
    strategy: "longest_idle",
    missesBeforeAway: 1,
    priority: 0,
    agingSeconds: 60,
    overflowSeconds: null,
    overflowQueueId: null,
  }));
  readonly agents: Agent[] = Array.from({ length: 24 }, (_, index) => ({
    id: `agent-${String(index + 1).padStart(2, "0")}`,
    name: `${NAMES[index % NAMES.length]}${index < NAMES.length ? "" : ` ${Math.floor(index / NAMES.length) + 1}`}`,
    languages: ["es", "en"],
    queues: QUEUES.map(([id]) => id),
    status: "available",
    statusSince: new Date(0).toISOString(),
    callId: null,
    reason: null,
    skills: {},
    misses: 0,
    version: 1,
  }));
  readonly calls = new Map<string, Call>();
  readonly events = new Map<string, Event[]>();
  readonly changedAt = new Map<string, number>();
  position = 1_000;
  listener: (change: Change) => void = () => {};
  private nextId = 0;

  constructor(readonly now: () => number = Date.now) {}

  get live(): Call[] {
    return [...this.calls.values()].filter(({ status }) => status !== "ended");
  }

  initiate(queueId: string, options: { id?: string; type?: CallType; agoSeconds?: number } = {}): Call {
    const queue = this.queues.find(({ id }) => id === queueId);
    if (queue === undefined) throw new Error(`no queue ${queueId}`);
    const started = this.now() - (options.agoSeconds ?? 0) * 1_000;
    const id =
      options.id ?? `c-${(++this.nextId).toString(36).padStart(4, "0")}-${Math.floor(started % 1e8)}`;
    const call: Call = {
      id,
      type: options.type ?? "voice",
      status: "waiting",
      queueId,
      startTime: iso(started),
      endTime: null,
      agentId: null,
      language: queue.language,
      waitingSince: iso(started),
      waitSeconds: null,
      holdSeconds: 0,
      durationSeconds: null,
      endReason: null,
      flags: [],
      offer: null,
      deadline: { kind: "sla_wait", dueAt: iso(started + 30_000) },
      priority: null,
      version: 0,
      metadata: {},
    };
    return this.record(call, "call_initiated", {}, { at: started });
  }

  offer(call: Call, agentId: string, attempt = 1): Call {
    const now = this.now();
    const dueAt = iso(now + 15_000);
    const offer = { agentId, offeredAt: iso(now), dueAt, attempt };
    const source = attempt > 1 ? "system" : "telephony";
    const flags: Flag[] = attempt > 1 ? withFlag(call, "rerouted") : call.flags;
    const next = { ...call, agentId, offer, flags, deadline: { kind: "answer" as const, dueAt } };
    return this.record(next, attempt > 1 ? "call_rerouted" : "call_routed", { agentId, attempt }, { source });
  }

  answer(call: Call): Call {
    const waitSeconds = (this.now() - Date.parse(call.startTime)) / 1_000;
    const over = { waitingSince: null, offer: null, deadline: null };
    const next = { ...call, status: "active" as const, waitSeconds, ...over };
    return this.record(next, "call_answered", { agentId: call.agentId, waitTime: waitSeconds });
  }

  /** Only as an event: for histories that hold one that became void. */
  reroute(call: Call): Call {
    return this.record(call, "call_rerouted", { agentId: "agent-07", attempt: 2 }, { source: "system" });
  }

  breach(call: Call): Call {
    const deadline = call.offer === null ? null : call.deadline;
    const next = { ...call, flags: withFlag(call, "sla_breached"), deadline };
    return this.record(next, "sla_breached", { dueAt: call.deadline?.dueAt }, { source: "system" });
  }

  hold(call: Call): Call {
    const dueAt = iso(this.now() + 60_000);
    return this.record({ ...call, status: "on_hold", deadline: { kind: "hold", dueAt } }, "call_hold", {});
  }

  exceedHold(call: Call): Call {
    const next = { ...call, flags: withFlag(call, "hold_exceeded"), deadline: null };
    return this.record(next, "hold_exceeded", {}, { source: "system" });
  }

  resume(call: Call): Call {
    return this.record({ ...call, status: "active", deadline: null }, "call_resumed", { holdDuration: 12.4 });
  }

  end(call: Call, endReason: Call["endReason"] = "completed"): Call {
    const endTime = iso(this.now());
    const over = { offer: null, deadline: null, waitingSince: null };
    const next = { ...call, status: "ended" as const, endTime, endReason, ...over };
    return this.record(next, "call_ended", { endReason, duration: 42 });
  }

  /** A system event that a later fact disproved. */
  voidEvent(call: Call, type: string): void {
    const events = this.events.get(call.id) ?? [];
    this.events.set(
      call.id,
      events.map((event) => (event.type === type ? { ...event, void: true } : event)),
    );
  }

  private record(
    call: Call,
    type: string,
    metadata: Record<string, unknown>,
    { at = this.now(), source = "telephony" as EventSource } = {},
  ): Call {
    const position = ++this.position;
    const next = { ...call, version: call.version + 1 };
    const event: Event = {
      id: `e-${position}`,
      callId: call.id,
      type,
      timestamp: iso(at),
      occurredAt: source === "system" ? null : iso(at),
      receivedAt: iso(this.now()),
      source,
      recordId: position,
      version: next.version,
      void: false,
      metadata,
    };
    this.calls.set(call.id, next);
    this.changedAt.set(call.id, position);
    this.events.set(call.id, [...(this.events.get(call.id) ?? []), event]);
    this.listener({ call: next, events: [event], agents: [], position });
    return next;
  }
}

function withFlag(call: Call, flag: Flag): Flag[] {
  return call.flags.includes(flag) ? call.flags : [...call.flags, flag];
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
