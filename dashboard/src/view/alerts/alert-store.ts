/** Keeps the alarms as the feed tells them, makes them heard, and knows which of them somebody has seen to. */

import { computed, signal } from "@preact/signals";
import type { UpdateFrame } from "../../contracts";
import type { Feed } from "../../feed/feed";
import { type Alarm, Alarms, MAX_RESOLVED, type Thresholds } from "../../model/alerts";
import { preferences } from "../../preferences";
import { notify } from "./notify";

export const NO_THRESHOLDS: Thresholds = { waiting: null, waitSeconds: null };
/** What was acknowledged longer ago cannot come up again. */
const FORGET_MS = 24 * 3_600_000;

export class AlertStore {
  readonly revision = signal(0);
  private readonly alarms = new Alarms();

  constructor(private readonly feed: Feed) {}

  readonly all = computed<Alarm[]>(() => {
    this.revision.value;
    return this.alarms.all;
  });

  readonly open = computed(() => this.all.value.filter((alarm) => alarm.isOpen && !isAcknowledged(alarm)));

  /** As many that are over as are kept: older ones may have been let go. */
  get isFull(): boolean {
    return this.all.value.filter(({ isOpen }) => !isOpen).length >= MAX_RESOLVED;
  }

  receive(frame: UpdateFrame): void {
    this.raise(this.alarms.receive(frame.alerts ?? []));
  }

  /** Once a second, and whenever the floor has changed: thresholds are crossed by the passing of time, too. */
  look(now: number): void {
    const { calls, directory } = this.feed;
    if (calls.needsSnapshot) return;
    this.alarms.look(calls.live, directory.queues, now);
    const thresholdsOf = (queueId: string) => preferences.thresholds.peek()[queueId] ?? NO_THRESHOLDS;
    this.raise(this.alarms.watch(calls.live.values(), thresholdsOf, now, directory.queues.keys()));
    this.revision.value++;
  }

  private raise(alarms: readonly Alarm[]): void {
    const news = alarms.filter((alarm) => !isAcknowledged(alarm));
    if (news.length > 0) notify(news, this.feed.directory.queues);
  }
}

export function isAcknowledged(alarm: Alarm): boolean {
  const said = preferences.acknowledged.value[alarm.key];
  return said !== undefined && said.raisedAt >= alarm.raisedAt;
}

/** `now` by the server: of an alarm without a date whatever was raised until then has been seen, in the page's other tabs too. */
export function acknowledge(alarms: readonly Alarm[], now: number): void {
  const at = Date.now();
  const kept = Object.entries(preferences.acknowledged.peek()).filter(([, said]) => at - said.at < FORGET_MS);
  const added = alarms.map(
    ({ key, raisedAt, isDated }) => [key, { raisedAt: isDated ? raisedAt : now, at }] as const,
  );
  preferences.acknowledged.value = Object.fromEntries([...kept, ...added]);
}
