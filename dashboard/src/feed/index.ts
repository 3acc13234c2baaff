/**
 * The live calls, with a state that says whether they are complete. Usable without the page.
 *
 *     const api = new Api({ base, token, fetch, localNow: Date.now, onDate: clock.sample.bind(clock) });
 *     const feed = new Feed({ api, openSocket: () => new WebSocket(address), timers: systemTimers,
 *       random: Math.random, times: DEFAULT_TIMES, onChange: draw, onUpdate: () => {} });
 *     feed.start();
 *
 * `feed.calls.live` are the calls, `feed.connection` is the state of the connection, `feed.ageMs` is the time since the
 * calls were last confirmed, and `feed.halt` is the reason if the session ended.
 */

export { ServerClock } from "../clock";
export type * from "../contracts";
export { Api, ApiError, type ApiOptions, type Halt } from "./api";
export type { Connection } from "./connection";
export { Feed, type FeedOptions } from "./feed";
export type { Socket } from "./feed-socket";
export { LiveCalls } from "./live-calls";
export { systemTimers, type Timers } from "./timers";
export { DEFAULT_TIMES, type FeedTimes } from "./times";
