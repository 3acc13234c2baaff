/** Every interval of the feed, in one place. */

import type { SocketTimes } from "./feed-socket";

export interface FeedTimes extends SocketTimes {
  pollMs: number;
  /** After this time without an update, a read shows whether the relay is dead. */
  auditQuietMs: number;
  auditMs: number;
  /** How long the feed may take to deliver what such a read contained. */
  settleMs: number;
  /** The least time between reads that a doubt causes. */
  doubtMs: number;
  directoryMs: number;
  replaceAfterMs: number;
  tickMs: number;
}

export const DEFAULT_TIMES: FeedTimes = {
  openWithinMs: 10_000,
  quietMs: 20_000,
  answerWithinMs: 8_000,
  keepAliveMs: 4 * 60_000, // API Gateway closes a connection that is idle for 10 minutes.
  pollMs: 3_000,
  auditQuietMs: 20_000,
  auditMs: 60_000,
  settleMs: 4_000,
  doubtMs: 1_000,
  directoryMs: 60_000,
  replaceAfterMs: 110 * 60_000, // API Gateway cuts every connection at 2 hours.
  tickMs: 250,
};
