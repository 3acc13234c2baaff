// A client that openapi-typescript generated, used against a running system: prints what it read as JSON.
// node use.ts API TOKEN CALL_ID
import { argv } from "node:process";
import createClient from "openapi-fetch";
import type { components, paths } from "./generated/schema.ts";

type IncomingEvent = components["schemas"]["IncomingEvent"];

const [api = "", token = "", callId = ""] = argv.slice(2);
const agentId = "interpreter-07";
const queueId = "medical_spanish";
// Without the media types, the answers of GET /api/calls would be CSV and NDJSON texts as well.
type Media = "application/json" | "application/problem+json";
const client = createClient<paths, Media>({
  baseUrl: api,
  headers: { Authorization: `Bearer ${token}` },
});

function given<T>(result: { data?: T | undefined; error?: unknown; response: Response }): T {
  if (result.data === undefined) throw new Error(`${result.response.status}: ${JSON.stringify(result.error)}`);
  return result.data;
}

const events: IncomingEvent[] = [
  { event: "call_initiated", callId, type: "voice", queueId, language: "es" },
  { event: "call_routed", callId, agentId, routingTime: 1.5 },
  { event: "call_answered", callId, agentId, waitTime: 8.2 },
  { event: "call_hold", callId, holdDuration: 0 },
  { event: "call_ended", callId, endReason: "completed", duration: 420 },
];
const outcomes: string[] = [];
for (const event of events) {
  const answer = given(await client.POST("/api/events", { body: event }));
  if ("results" in answer) throw new Error("one event is not answered as a batch");
  outcomes.push(answer.outcome);
}

const listed = given(
  await client.GET("/api/calls", { params: { query: { id: callId, status: ["waiting", "ended"], limit: 10 } } }),
);
if ("reset" in listed || "fields" in listed) throw new Error("a page is expected");
const selected = given(await client.GET("/api/calls", { params: { query: { fields: ["id", "status"] } } }));
if (!("fields" in selected)) throw new Error("a page of selected fields is expected");
const changes = given(await client.GET("/api/calls", { params: { query: { since: listed.position } } }));
if (!("reset" in changes)) throw new Error("changes are expected");

const path = { call_id: callId };
const call = given(await client.GET("/api/calls/{call_id}", { params: { path } }));
const history = given(await client.GET("/api/calls/{call_id}/events", { params: { path } }));
const figures = given(await client.GET("/api/metrics", { params: { query: { groupBy: ["queue"], queueId: [queueId] } } }));
const refused = await client.POST("/api/events", { body: { event: "call_hold", callId, holdDuration: 0 } });
const missing = await client.GET("/api/calls/{call_id}", { params: { path: { call_id: "no-such-call" } } });

console.log(
  JSON.stringify({
    outcomes,
    listed: listed.data.map(({ id, status }) => [id, status]),
    selected: selected.fields,
    reset: changes.reset,
    status: call.status,
    history: history.data.map(({ type }) => type),
    handled: figures.data.map(({ queueId, handled }) => [queueId, handled]),
    refusals: [refused.error?.status, missing.error?.title],
  }),
);
