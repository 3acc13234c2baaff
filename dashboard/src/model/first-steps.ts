/** The commands that set up a new system, as far as the token permits them. */

import type { Queue } from "../contracts";
import type { Claims } from "../session";

export type StepId = "queue" | "agent" | "call";

export interface Step {
  id: StepId;
  /** Its place among the first steps, from 1. It stays the same when the steps before it are done. */
  number: number;
  /** A shell command that reads the token from the variable TOKEN. */
  command: string;
}

export interface FirstStepsPlan {
  /** Empty if the token may not create a queue. */
  steps: Step[];
  /** The queue that the commands name. */
  queueId: string;
  /** The queues that the token is limited to; empty if it covers all. */
  limitedTo: string[];
}

const EVERY_QUEUE = "*";
const EXAMPLE_QUEUE = "support";

/** The API decides what a token may do. This only avoids commands that it would refuse. */
export function planFirstSteps(
  claims: Claims,
  api: string,
  queues: ReadonlyMap<string, Queue>,
): FirstStepsPlan {
  const limitedTo = claims.queues.includes(EVERY_QUEUE) ? [] : claims.queues;
  const queueId = queues.keys().next().value ?? limitedTo[0] ?? EXAMPLE_QUEUE;
  const isAdmin = claims.role === "admin" && claims.queues.length > 0;
  const ids: StepId[] = !isAdmin ? [] : limitedTo.length > 0 ? ["queue", "call"] : ["queue", "agent", "call"];
  const commands = commandsFor(api.replace(/\/$/, ""), queueId);
  return {
    steps: ids.map((id, index) => ({ id, number: index + 1, command: commands[id] })),
    queueId,
    limitedTo,
  };
}

function commandsFor(api: string, queueId: string): Record<StepId, string> {
  return {
    queue: curl("PUT", `${api}/api/queues/${encodeURIComponent(queueId)}`, {
      name: queueId === EXAMPLE_QUEUE ? "Support" : queueId,
      language: "en",
    }),
    agent: curl("PUT", `${api}/api/agents/agent-1`, {
      name: "Alex Kim",
      languages: ["en"],
      queues: [queueId],
      status: "available",
    }),
    call: curl("POST", `${api}/api/events`, {
      event: "call_initiated",
      callId: "call-1",
      type: "voice",
      queueId,
    }),
  };
}

function curl(method: string, address: string, body: unknown): string {
  const headers = `-H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json'`;
  return `curl -X ${method} ${quoted(address)} \\\n  ${headers} \\\n  -d ${quoted(JSON.stringify(body))}`;
}

/** Text as one word of a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
