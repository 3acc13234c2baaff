/** How figures are asked for, and where the calls are that they count. */

import { clockDuration, workDuration } from "../../model/durations";
import { texts } from "../../texts";
import type { Day } from "../shell/DayChoice";

export interface Asked {
  groupBy?: string;
  bucket?: string;
  queueId?: string | null;
}

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

export function figuresPath(day: Day, { groupBy, bucket, queueId }: Asked): string {
  const query = new URLSearchParams({ from: day.from.toISOString(), to: day.to.toISOString(), zone: ZONE });
  if (groupBy !== undefined) query.set("groupBy", groupBy);
  if (bucket !== undefined) query.set("bucket", bucket);
  if (queueId != null) query.set("queueId", queueId);
  return `/api/metrics?${query}`;
}

/** The API's own address of the calls behind a figure, as an address of this page. */
export function callsAddress(link: string | undefined): string {
  return (link ?? "").replace(/^\/api\/calls\?/, "#/calls?");
}

export function percent(share: number | null): string | null {
  return share === null ? null : (share * 100).toFixed(1);
}

export function duration(seconds: number | null): string {
  return seconds === null ? texts.nothing : clockDuration(seconds * 1_000);
}

/** A mean, to the nearest second: cut off, it would be half a second short as a rule. */
export function mean(seconds: number | null): string {
  return duration(seconds === null ? null : Math.round(seconds));
}

export function work(seconds: number): string {
  return workDuration(seconds * 1_000);
}
