/** What calls for a person: promises broken on calls, and queues beyond their thresholds. Pure but for what it keeps. */

import type { Alert, Call, Flag, Queue } from "../contracts";
import { isBreached, startMs, waitedMs } from "./call-state";

export type AlertKind = Flag | "queue_waiting" | "queue_wait";

export interface Alarm {
  /** The same however often it is told. */
  key: string;
  kind: AlertKind;
  queueId: string;
  /** Null where a queue raised it. */
  callId: string | null;
  raisedAt: number;
  /** False where a call carries the flag and nobody told since when: it was raised at some time after `raisedAt`. */
  isDated: boolean;
  /** True as long as what raised it goes on. */
  isOpen: boolean;
  /** How many wait or, in seconds, how long; null for calls. */
  measure: number | null;
}

/** Beyond which a queue itself alarms; null means never. */
export interface Thresholds {
  waiting: number | null;
  waitSeconds: number | null;
}

/** Of those that are over, how many are kept: a shift's worth. Open ones all are; calls and queues bound them. */
export const MAX_RESOLVED = 500;

export class Alarms {
  private readonly byKey = new Map<string, Alarm>();
  private since = new Map<string, number>();

  /** Newest first. */
  get all(): Alarm[] {
    return [...this.byKey.values()].sort((a, b) => b.raisedAt - a.raisedAt || (a.key < b.key ? -1 : 1));
  }

  /** Answers those that are new. */
  receive(alerts: readonly Alert[]): Alarm[] {
    return alerts.flatMap((alert) => {
      const key = `${alert.callId} ${alert.flag}`;
      if (alert.withdrawn) this.byKey.delete(key);
      const raisedAt = Date.parse(alert.raisedAt);
      const known = this.byKey.get(key);
      if (alert.withdrawn || (known !== undefined && known.raisedAt >= raisedAt)) return [];
      const { queueId, callId, flag: kind } = alert;
      const isOpen = kind !== "short_call";
      return [this.put({ key, kind, queueId, callId, raisedAt, isDated: true, isOpen, measure: null })];
    });
  }

  /** Alarms from before the page was opened, told by the calls that still carry them; and which are over by now. */
  look(calls: ReadonlyMap<string, Call>, queues: ReadonlyMap<string, Queue>, now: number): void {
    for (const alarm of this.byKey.values()) {
      const call = alarm.callId === null ? undefined : calls.get(alarm.callId);
      if (alarm.callId !== null) alarm.isOpen = call !== undefined && goesOn(alarm.kind, call, queues, now);
    }
    for (const call of calls.values()) {
      for (const kind of call.flags)
        if (!this.byKey.has(`${call.id} ${kind}`)) this.infer(call, kind, queues, now);
    }
    this.forget();
  }

  /** Those longest known first. None that is open: the next look would infer it, and take another's place. */
  private forget(): void {
    const over = [...this.byKey.values()].filter(({ isOpen }) => !isOpen);
    for (const { key } of over.slice(0, -MAX_RESOLVED)) this.byKey.delete(key);
  }

  private infer(call: Call, kind: Flag, queues: ReadonlyMap<string, Queue>, now: number): void {
    if (!goesOn(kind, call, queues, now)) return;
    const queue = queues.get(call.queueId);
    const isDated = kind === "sla_breached";
    const raisedAt = startMs(call) + (isDated ? (queue?.slaSeconds ?? 30) * 1_000 : 0);
    const { id: callId, queueId } = call;
    const key = `${callId} ${kind}`;
    this.put({ key, kind, queueId, callId, raisedAt, isDated, isOpen: true, measure: null });
  }

  /** Queues beyond their thresholds; answers those that went beyond just now. */
  watch(
    calls: Iterable<Call>,
    thresholdsOf: (queueId: string) => Thresholds,
    now: number,
    queueIds: Iterable<string>,
  ): Alarm[] {
    const waits = new Map<string, { waiting: number; longestMs: number }>();
    for (const call of calls) {
      if (call.status !== "waiting") continue;
      const wait = waits.get(call.queueId) ?? { waiting: 0, longestMs: 0 };
      wait.waiting++;
      wait.longestMs = Math.max(wait.longestMs, waitedMs(call, now) ?? 0);
      waits.set(call.queueId, wait);
    }
    return [...queueIds].flatMap((queueId) => {
      const { waiting, longestMs } = waits.get(queueId) ?? { waiting: 0, longestMs: 0 };
      const limits = thresholdsOf(queueId);
      const wait = Math.floor(longestMs / 1_000);
      return [
        ...this.episode("queue_waiting", queueId, waiting, limits.waiting, now),
        ...this.episode("queue_wait", queueId, wait, limits.waitSeconds, now),
      ];
    });
  }

  private episode(
    kind: AlertKind,
    queueId: string,
    measure: number,
    limit: number | null,
    now: number,
  ): Alarm[] {
    const name = `${kind} ${queueId}`;
    const began = this.since.get(name);
    const isBeyond = limit !== null && measure > limit;
    const known = began === undefined ? undefined : this.byKey.get(`${name} ${began}`);
    if (known !== undefined) {
      known.isOpen = isBeyond;
      known.measure = Math.max(known.measure ?? 0, measure);
    }
    if (!isBeyond) this.since.delete(name);
    if (!isBeyond || began !== undefined) return [];
    this.since.set(name, now);
    const key = `${name} ${now}`;
    return [
      this.put({ key, kind, queueId, callId: null, raisedAt: now, isDated: true, isOpen: true, measure }),
    ];
  }

  private put(alarm: Alarm): Alarm {
    this.byKey.delete(alarm.key);
    this.byKey.set(alarm.key, alarm);
    return alarm;
  }
}

/** Whether a flag's cause is still there: only then can somebody do something about it. */
function goesOn(kind: AlertKind, call: Call, queues: ReadonlyMap<string, Queue>, now: number): boolean {
  if (kind === "sla_breached")
    return call.status === "waiting" && isBreached(call, queues.get(call.queueId), now);
  if (kind === "hold_exceeded") return call.status === "on_hold";
  return kind === "rerouted" && call.status === "waiting";
}
