/** Paths, addresses and formats of figures. */

import { withQuery } from "../../feed/api";
import { clockDuration, workDuration } from "../../model/durations";
import { texts } from "../../texts";
import type { Day } from "../shell/DayChoice";

interface FiguresOptions {
  groupBy?: string | undefined;
  bucket?: string | undefined;
  queueId?: string | null;
}

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

export function figuresPath(day: Day, { groupBy, bucket, queueId }: FiguresOptions): string {
  const [from, to] = [day.from.toISOString(), day.to.toISOString()];
  return withQuery("/api/metrics", { from, to, zone: ZONE, groupBy, bucket, queueId });
}

/** The page's address for the API's link to the calls behind a figure. */
export function callsAddress(link: string | undefined): string {
  return (link ?? "").replace(/^\/api\/calls\?/, "#/calls?");
}

export function percent(share: number | null): string | null {
  return share === null ? null : (share * 100).toFixed(1);
}

export function duration(seconds: number | null): string {
  return seconds === null ? texts.nothing : clockDuration(seconds * 1_000);
}

/** A mean, rounded to the nearest second. Cut off, it would be half a second too short on average. */
export function mean(seconds: number | null): string {
  return duration(seconds === null ? null : Math.round(seconds));
}

export function work(seconds: number): string {
  return workDuration(seconds * 1_000);
}
