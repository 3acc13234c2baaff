/** Alerts: missed targets of calls, and queues over their thresholds. */

import type { Alert, Call, Flag, Queue } from "../contracts";
import { isOverTarget, startMs, waitedMs } from "./call-state";

export type AlertKind = Flag | "queue_waiting" | "queue_wait";

export interface ShownAlert {
  /** The same for every copy of an alert. */
  key: string;
  kind: AlertKind;
  queueId: string;
  /** Null if a queue raised it. */
  callId: string | null;
  raisedAt: number;
  /** False if the time is unknown: the alert was raised at some time after `raisedAt`. */
  isDated: boolean;
  /** True while the cause lasts. */
  isOpen: boolean;
  /** The highest number of waiting callers, or the longest wait in seconds. Null for calls. */
  measure: number | null;
}

/** Over these values a queue raises an alert. Null means never. */
export interface Thresholds {
  waiting: number | null;
  waitSeconds: number | null;
}

/** The number of resolved alerts that are kept, enough for a shift. All open alerts are kept. */
export const MAX_RESOLVED = 500;

export class AlertLog {
  private readonly byKey = new Map<string, ShownAlert>();
  private readonly overSince = new Map<string, number>();

  /** Newest first. */
  get all(): ShownAlert[] {
    return [...this.byKey.values()].sort((a, b) => b.raisedAt - a.raisedAt || (a.key < b.key ? -1 : 1));
  }

  /** Returns the new ones. */
  receive(alerts: readonly Alert[]): ShownAlert[] {
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

  /** Updates which alerts are open, and adds those of flags that were raised before the page was opened. */
  check(calls: ReadonlyMap<string, Call>, queues: ReadonlyMap<string, Queue>, now: number): void {
    for (const alert of this.byKey.values()) {
      const call = alert.callId === null ? undefined : calls.get(alert.callId);
      if (alert.callId !== null)
        alert.isOpen = call !== undefined && isOngoing(alert.kind, call, queues, now);
    }
    for (const call of calls.values()) {
      for (const kind of call.flags)
        if (!this.byKey.has(`${call.id} ${kind}`)) this.infer(call, kind, queues, now);
    }
    this.forget();
  }

  /** Removes the oldest resolved alerts. Open ones stay, because the next check would add them again. */
  private forget(): void {
    const resolved = [...this.byKey.values()].filter(({ isOpen }) => !isOpen);
    for (const { key } of resolved.slice(0, -MAX_RESOLVED)) this.byKey.delete(key);
  }

  private infer(call: Call, kind: Flag, queues: ReadonlyMap<string, Queue>, now: number): void {
    if (!isOngoing(kind, call, queues, now)) return;
    const queue = queues.get(call.queueId);
    const isDated = kind === "sla_breached";
    const raisedAt = startMs(call) + (isDated ? (queue?.slaSeconds ?? 30) * 1_000 : 0);
    const { id: callId, queueId } = call;
    const key = `${callId} ${kind}`;
    this.put({ key, kind, queueId, callId, raisedAt, isDated, isOpen: true, measure: null });
  }

  /** Compares queues with their thresholds. Returns the new alerts. */
  checkThresholds(
    calls: Iterable<Call>,
    thresholdsOf: (queueId: string) => Thresholds,
    now: number,
    queueIds: Iterable<string>,
  ): ShownAlert[] {
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
      const thresholds = thresholdsOf(queueId);
      const waitSeconds = Math.floor(longestMs / 1_000);
      return [
        ...this.checkThreshold("queue_waiting", queueId, waiting, thresholds.waiting, now),
        ...this.checkThreshold("queue_wait", queueId, waitSeconds, thresholds.waitSeconds, now),
      ];
    });
  }

  private checkThreshold(
    kind: AlertKind,
    queueId: string,
    measure: number,
    threshold: number | null,
    now: number,
  ): ShownAlert[] {
    const name = `${kind} ${queueId}`;
    const since = this.overSince.get(name);
    const isOver = threshold !== null && measure > threshold;
    const known = since === undefined ? undefined : this.byKey.get(`${name} ${since}`);
    if (known !== undefined) {
      known.isOpen = isOver;
      known.measure = Math.max(known.measure ?? 0, measure);
    }
    if (!isOver) this.overSince.delete(name);
    if (!isOver || since !== undefined) return [];
    this.overSince.set(name, now);
    const key = `${name} ${now}`;
    return [
      this.put({ key, kind, queueId, callId: null, raisedAt: now, isDated: true, isOpen: true, measure }),
    ];
  }

  private put(alert: ShownAlert): ShownAlert {
    this.byKey.delete(alert.key);
    this.byKey.set(alert.key, alert);
    return alert;
  }
}

/** True while the cause of a flag lasts, so that a supervisor can still act. */
function isOngoing(kind: AlertKind, call: Call, queues: ReadonlyMap<string, Queue>, now: number): boolean {
  if (kind === "sla_breached")
    return call.status === "waiting" && isOverTarget(call, queues.get(call.queueId), now);
  if (kind === "hold_exceeded") return call.status === "on_hold";
  return kind === "rerouted" && call.status === "waiting";
}
