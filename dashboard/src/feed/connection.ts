/** The state of the connection, as the page shows it. */

export type Connection = "connecting" | "live" | "resuming" | "polling" | "offline";

export interface Signs {
  isSubscribed: boolean;
  wasLive: boolean;
  /** Polls replace the feed: sockets are refused, or there is nothing to subscribe to. */
  isPolling: boolean;
  /** A complete snapshot was applied, and there was no gap since. */
  isComplete: boolean;
  /** The queues are known and there are none, so there is nothing to subscribe to. */
  hasNoQueues: boolean;
  /** A read contained changes that the feed has not delivered. */
  isBehind: boolean;
  /** The last read failed. */
  isFailing: boolean;
  isConfirmed: boolean;
}

export function connectionOf(signs: Signs): Connection {
  if (signs.isSubscribed && signs.isComplete) return signs.isBehind ? "polling" : "live";
  if (signs.isFailing) return "offline";
  if (signs.hasNoQueues && signs.isComplete) return "live";
  const isFirst = !signs.wasLive && !signs.isPolling;
  if (isFirst || !signs.isConfirmed) return "connecting";
  return signs.isPolling && signs.isComplete ? "polling" : "resuming";
}
