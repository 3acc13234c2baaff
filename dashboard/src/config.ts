/** The addresses of the API, from `config.json`, which the deployment writes next to the page. */

import type { ServerClock } from "./clock";

export interface Config {
  /** The prefix to which `/api/calls` is added. */
  api: string;
  websocket: string;
}

export async function readConfig(clock: ServerClock): Promise<Config> {
  const sentAt = Date.now();
  const answer = await fetch("config.json", { cache: "no-store" });
  // A cached copy has the date at which it was stored.
  if (!answer.headers.has("age")) clock.sample(answer.headers.get("date"), sentAt, Date.now());
  const config = (await answer.json()) as Partial<Config>;
  if (typeof config.api !== "string" || typeof config.websocket !== "string") throw new Error("incomplete");
  return { api: config.api, websocket: config.websocket };
}
