/** Collects the alerts of the feed and of the thresholds, notifies of new ones, and knows which are acknowledged. */

import { computed, signal } from "@preact/signals";
import type { UpdateFrame } from "../../contracts";
import type { Feed } from "../../feed/feed";
import { AlertLog, MAX_RESOLVED, type ShownAlert, type Thresholds } from "../../model/alerts";
import { preferences } from "../../preferences";
import { notify } from "./notify";

export const NO_THRESHOLDS: Thresholds = { waiting: null, waitSeconds: null };
/** Acknowledgements are kept so long. Older alerts cannot be raised again. */
const KEEP_ACKNOWLEDGED_MS = 24 * 3_600_000;

export class AlertStore {
  readonly revision = signal(0);
  private readonly log = new AlertLog();

  constructor(private readonly feed: Feed) {}

  readonly all = computed<ShownAlert[]>(() => {
    this.revision.value;
    return this.log.all;
  });

  readonly open = computed(() => this.all.value.filter((alert) => alert.isOpen && !isAcknowledged(alert)));

  /** True if older resolved alerts may have been removed. */
  readonly isFull = computed(() => this.all.value.filter(({ isOpen }) => !isOpen).length >= MAX_RESOLVED);

  receive(frame: UpdateFrame): void {
    this.notifyOfNew(this.log.receive(frame.alerts ?? []));
  }

  /** Called once a second, because thresholds are also crossed as time passes. */
  check(now: number): void {
    const { calls, directory } = this.feed;
    if (calls.needsSnapshot) return;
    this.log.check(calls.live, directory.queues, now);
    const thresholdsOf = (queueId: string) => preferences.thresholds.peek()[queueId] ?? NO_THRESHOLDS;
    this.notifyOfNew(
      this.log.checkThresholds(calls.live.values(), thresholdsOf, now, directory.queues.keys()),
    );
    this.revision.value++;
  }

  private notifyOfNew(alerts: readonly ShownAlert[]): void {
    const open = alerts.filter((alert) => !isAcknowledged(alert));
    if (open.length > 0) notify(open, this.feed.directory.queues);
  }
}

export function isAcknowledged(alert: ShownAlert): boolean {
  const acknowledged = preferences.acknowledged.value[alert.key];
  return acknowledged !== undefined && acknowledged.raisedAt >= alert.raisedAt;
}

/** `now` is the server's time. For an alert without a date, it covers every copy that was raised until now. */
export function acknowledge(alerts: readonly ShownAlert[], now: number): void {
  const at = Date.now();
  const kept = Object.entries(preferences.acknowledged.peek()).filter(
    ([, entry]) => at - entry.at < KEEP_ACKNOWLEDGED_MS,
  );
  const added = alerts.map(
    ({ key, raisedAt, isDated }) => [key, { raisedAt: isDated ? raisedAt : now, at }] as const,
  );
  preferences.acknowledged.value = Object.fromEntries([...kept, ...added]);
}
