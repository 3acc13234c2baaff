/** What the page says of its connection. Never better than it is. */

export type Connection = "connecting" | "live" | "resuming" | "polling" | "offline";

export interface Signs {
  isSubscribed: boolean;
  wasLive: boolean;
  /** Reads replace the feed: sockets are refused, or there is nothing to subscribe to. */
  isPolling: boolean;
  /** A whole snapshot stands in the calls, with no gap since. */
  isWhole: boolean;
  /** The queues are known and there are none, so there is nothing to subscribe to. That is no fault. */
  hasNoQueues: boolean;
  /** A read knew what the feed has not told. */
  isBehind: boolean;
  /** The last read failed. */
  isFailing: boolean;
  hasPicture: boolean;
}

export function connectionOf(signs: Signs): Connection {
  if (signs.isSubscribed && signs.isWhole) return signs.isBehind ? "polling" : "live";
  if (signs.isFailing) return "offline";
  if (signs.hasNoQueues && signs.isWhole) return "live";
  const isFirst = !signs.wasLive && !signs.isPolling;
  if (isFirst || !signs.hasPicture) return "connecting";
  return signs.isPolling && signs.isWhole ? "polling" : "resuming";
}
