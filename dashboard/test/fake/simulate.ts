/** Keeps a made-up floor moving in real time. */

import type { Call } from "../../src/contracts";
import type { World } from "./world";

/** Fills the floor with calls of every state, some of them overdue. */
export function fill(world: World, count: number): void {
  for (let index = 0; index < count; index++) {
    const queue = world.queues[index % world.queues.length];
    const agent = world.agents[index % world.agents.length];
    if (queue === undefined || agent === undefined) return;
    const type = index % 5 === 3 ? "video" : "voice";
    const call = world.initiate(queue.id, { type, agoSeconds: (index * 7) % 50 });
    place(world, call, agent.id, index % 10);
  }
}

function place(world: World, call: Call, agentId: string, fate: number): void {
  if (fate < 2) return;
  const offered = world.offer(call, agentId);
  if (fate === 2) return;
  if (fate === 3) return void world.offer(offered, world.agents[11]?.id ?? agentId, 2);
  const active = world.answer(offered);
  if (fate === 4) world.hold(active);
  if (fate === 5) disprove(world, active);
}

/** A re-route that the answer, arriving late, showed never to have been due. */
function disprove(world: World, call: Call): void {
  world.reroute(call);
  world.voidEvent(call, "call_rerouted");
}

export function simulate(world: World, stepMs: number): () => void {
  const timer = setInterval(() => step(world), stepMs);
  return () => clearInterval(timer);
}

/** So many changes a second, for measurements: a call that ends makes room for another, so that their number stays. */
export function keepBusy(world: World, perSecond: number): () => void {
  const ids = world.live.map(({ id }) => id);
  const begun = Date.now();
  let made = 0;
  const timer = setInterval(() => {
    for (; made < ((Date.now() - begun) * perSecond) / 1_000; made++) change(world, ids);
  }, 5);
  return () => clearInterval(timer);
}

function change(world: World, ids: string[]): void {
  const index = Math.floor(Math.random() * ids.length);
  const id = ids[index] ?? "";
  const call = world.calls.get(id);
  if (call !== undefined) advance(world, call);
  if (world.calls.get(id)?.status !== "ended") return;
  for (const known of [world.calls, world.events, world.changedAt]) known.delete(id);
  ids[index] = world.initiate(pick(world.queues).id).id;
}

function step(world: World): void {
  const now = world.now();
  for (const call of world.live) {
    if (call.deadline !== null && Date.parse(call.deadline.dueAt) <= now) expire(world, call);
  }
  if (Math.random() < 0.5)
    world.initiate(pick(world.queues).id, { type: Math.random() < 0.2 ? "video" : "voice" });
  const call = pick(world.live);
  if (call !== undefined && Math.random() < 0.7) advance(world, call);
}

function expire(world: World, call: Call): void {
  if (call.deadline?.kind === "answer")
    world.offer(call, pick(world.agents).id, (call.offer?.attempt ?? 0) + 1);
  else if (call.deadline?.kind === "sla_wait") world.breach(call);
  else world.exceedHold(call);
}

function advance(world: World, call: Call): void {
  if (call.status === "waiting" && call.offer === null) world.offer(call, pick(world.agents).id);
  else if (call.status === "waiting") world.answer(call);
  else if (call.status === "on_hold") world.resume(call);
  else if (Math.random() < 0.4) world.hold(call);
  else world.end(call);
}

function pick<T>(items: readonly T[]): T {
  return items[Math.floor(Math.random() * items.length)] as T;
}
