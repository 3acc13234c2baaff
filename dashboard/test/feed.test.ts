/** The whole client against a real HTTP and WebSocket server, with faults. Times are shortened, nothing else is. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import type { Agent } from "../src/contracts";
import { Api } from "../src/feed/api";
import { Feed } from "../src/feed/feed";
import { systemTimers } from "../src/feed/timers";
import { DEFAULT_TIMES, type FeedTimes } from "../src/feed/times";
import { FakeServer } from "./fake/server";
import { World } from "./fake/world";

const QUICK: FeedTimes = {
  ...DEFAULT_TIMES,
  openWithinMs: 1_000,
  pollMs: 60,
  settleMs: 50,
  tickMs: 5,
};

let world: World;
let server: FakeServer;
let feed: Feed;
let opened: number;
let seen: Set<string>;

beforeEach(async () => {
  world = new World();
  opened = 0;
  seen = new Set();
  server = await new FakeServer(world, 3).listen();
});

afterEach(async () => {
  feed.stop();
  await server.close();
});

function startFeed(times: Partial<FeedTimes> = {}, token = "token"): Feed {
  const api = new Api({
    base: `http://${server.address}`,
    token,
    fetch,
    localNow: Date.now,
    onDate: () => {},
  });
  feed = new Feed({
    api,
    openSocket: () => {
      opened++;
      return new WebSocket(`ws://${server.address}?token=${token}`);
    },
    timers: systemTimers,
    random: () => 0,
    times: { ...QUICK, ...times },
    onChange: () => seen.add(feed.connection),
    onUpdate: () => {},
  });
  feed.start();
  return feed;
}

function expectEqualToApi(): void {
  const shown = [...feed.calls.live.values()].map(({ id, version }) => `${id} ${version}`).sort();
  expect(shown).toEqual(world.live.map(({ id, version }) => `${id} ${version}`).sort());
}

const connectionIs = (state: string) => vi.waitFor(() => expect(feed.connection).toBe(state), 3_000);
const equal = () => vi.waitFor(expectEqualToApi, 3_000);

describe("the feed", () => {
  it("subscribes to every queue before it reads, and reads every page", async () => {
    for (let index = 0; index < 10; index++) world.initiate("medical_spanish");
    startFeed();
    await connectionIs("live");
    expectEqualToApi();
    expect(server.heard[0]).toMatchObject({
      action: "subscribe",
      topics: world.queues.map(({ id }) => `queue:${id}`),
    });
    expect(server.heard[0]).not.toHaveProperty("since");
  });

  it.each(["live", "polling"])(
    "lets go of an agent who is in none of its queues any more: %s",
    async (state) => {
      server.faults.refuseSockets = state === "polling";
      startFeed();
      await connectionIs(state);
      const gone = world.agents.pop();
      server.faults.canReplay = false;
      server.send({ type: "reset", topics: feed.directory.topics, position: world.position });
      await vi.waitFor(() =>
        expect([...feed.directory.agents.keys()]).toEqual(world.agents.map(({ id }) => id)),
      );
      expect(gone).toBeDefined();
    },
  );

  it("follows a call through its life", async () => {
    startFeed();
    await connectionIs("live");
    const call = world.initiate("legal_english");
    await equal();
    const active = world.answer(world.offer(call, "agent-01"));
    await equal();
    world.end(world.resume(world.hold(active)));
    await vi.waitFor(() => expect(feed.calls.live.size).toBe(0));
    expect(feed.calls.versionOf(call.id)).toBe(6);
  });

  it("is connecting until it is live for the first time: nothing was cut", async () => {
    startFeed();
    await connectionIs("live");
    expect(seen).toEqual(new Set(["connecting", "live"]));
  });

  it("keeps what comes while the snapshot is on its way", async () => {
    for (let index = 0; index < 7; index++) world.initiate("medical_spanish");
    server.faults.readDelayMs = 60;
    startFeed();
    await vi.waitFor(() => expect(server.heard.length).toBe(1));
    const [first] = world.live;
    if (first === undefined) throw new Error("no call");
    world.end(first);
    world.initiate("legal_spanish");
    await connectionIs("live");
    await equal();
  });

  it("resumes with its position after a cut and gets what it missed without another snapshot", async () => {
    world.initiate("medical_spanish");
    startFeed();
    await connectionIs("live");
    const reads = server.reads;
    server.cut();
    world.initiate("medical_english");
    await vi.waitFor(() => expect(feed.connection).toBe("resuming"));
    await connectionIs("live");
    await equal();
    expect(server.heard.at(-1)).toHaveProperty("since");
    expect(server.reads).toBe(reads);
  });

  it.each([true, false])(
    "reads the snapshot again when the server cannot replay (reset first: %s)",
    async (announced) => {
      server.faults.announcesGap = announced;
      const call = world.initiate("medical_spanish");
      startFeed();
      await connectionIs("live");
      server.faults.canReplay = false;
      server.cut();
      world.end(call);
      world.initiate("medical_english");
      await vi.waitFor(() => expect(feed.connection).toBe("resuming"));
      await connectionIs("live");
      expectEqualToApi();
    },
  );

  it("reads again after a reset, and once more when another overtakes the read", async () => {
    const call = world.initiate("medical_spanish");
    startFeed();
    await connectionIs("live");
    server.faults.muteRelay = true;
    server.faults.readDelayMs = 150;
    server.send({ type: "reset", topics: [], position: world.position });
    await vi.waitFor(() => expect(feed.connection).toBe("resuming"));
    world.end(call);
    world.initiate("legal_english");
    server.send({ type: "reset", topics: [], position: world.position });
    await connectionIs("live");
    expectEqualToApi();
  });

  it("keeps an agent of a frame that a list in progress lacks", async () => {
    startFeed();
    await connectionIs("live");
    const [gone, kept] = world.agents.splice(0, 2) as [Agent, Agent];
    server.faults.readDelayMs = 50;
    server.send({ type: "reset", topics: [], position: world.position });
    const later = { ...kept, version: kept.version + 1 };
    const { position } = world;
    const nothing = { calls: [], events: [], alerts: [], left: [], eventsOmitted: 0, traces: [] };
    server.send({ type: "update", position, ...nothing, agents: [later] });
    await vi.waitFor(() => expect(feed.directory.agents.has(gone.id)).toBe(false));
    expect(feed.directory.agents.get(kept.id)).toEqual(later);
  });

  it("removes an agent of a late frame who has left", async () => {
    startFeed({ doubtMs: 20 });
    await connectionIs("live");
    const late = world.agents.pop() as Agent;
    server.send({ type: "reset", topics: [], position: world.position });
    await vi.waitFor(() => expect(feed.directory.agents.has(late.id)).toBe(false));
    server.faults.readDelayMs = 150;
    const { position } = world;
    const nothing = { calls: [], events: [], alerts: [], left: [], eventsOmitted: 0, traces: [] };
    server.send({ type: "update", position, ...nothing, agents: [late] });
    await vi.waitFor(() => expect(feed.directory.agents.has(late.id)).toBe(true));
    await vi.waitFor(() => expect(feed.directory.agents.has(late.id)).toBe(false));
  });

  it("does not call itself live while the snapshot after a reset fails, and recovers", async () => {
    world.initiate("medical_spanish");
    startFeed();
    await connectionIs("live");
    server.faults.readStatus = 500;
    server.send({ type: "reset", topics: [], position: world.position });
    await connectionIs("offline");
    expect(feed.errorMessage).toBe("Answered 500");
    server.faults.readStatus = null;
    await connectionIs("live");
    expect(feed.errorMessage).toBeNull();
  });

  it("polls where sockets are refused, and returns to the socket", async () => {
    server.faults.refuseSockets = true;
    world.initiate("medical_spanish");
    startFeed();
    await connectionIs("polling");
    const call = world.initiate("legal_english");
    await equal();
    world.end(call);
    await equal();
    expect(server.polls).toBeGreaterThan(0);
    await vi.waitFor(() => expect(server.unchanged).toBeGreaterThan(1));
    server.faults.canReplay = false; // The changes are not available, so the snapshot is read.
    world.initiate("legal_spanish");
    await equal();
    server.faults.canReplay = true;
    server.faults.refuseSockets = false;
    feed.retryNow();
    await connectionIs("live");
  });

  it("is live without queues, and finds the first one by polling", async () => {
    const [first, second] = world.queues.splice(0);
    if (first === undefined || second === undefined) throw new Error("no queues");
    startFeed();
    await connectionIs("live");
    expect([feed.hasNoQueues, opened]).toEqual([true, 0]);
    world.queues.push(first);
    await vi.waitFor(() => expect(server.heard[0]).toMatchObject({ topics: [`queue:${first.id}`] }));
    await connectionIs("live");
    expect([...seen]).not.toContain("polling");
    world.queues.push(second);
    feed.retryNow();
    await vi.waitFor(() =>
      expect(server.heard.at(-1)).toEqual({ action: "subscribe", topics: [`queue:${second.id}`] }),
    );
    await connectionIs("live");
  });

  it("asks again for a subscription that an outage refused, and reads until then", async () => {
    server.faults.subscribeStatus = 503;
    world.initiate("medical_spanish");
    startFeed({ openWithinMs: 600_000 });
    await connectionIs("polling");
    await equal();
    server.faults.subscribeStatus = null;
    await connectionIs("live");
  });

  it("is not content with a subscription to a new queue that was refused", async () => {
    const added = world.queues.pop();
    if (added === undefined) throw new Error("no queue");
    startFeed({ directoryMs: 40 });
    await connectionIs("live");
    server.faults.subscribeStatus = 503;
    world.queues.push(added);
    await vi.waitFor(() => expect(feed.connection).not.toBe("live"));
    server.faults.subscribeStatus = null;
    await connectionIs("live");
    world.initiate(added.id);
    await equal();
  });

  it("opens nothing any more once it is stopped in the middle of a read", async () => {
    server.faults.readDelayMs = 50;
    startFeed();
    await vi.waitFor(() => expect(server.reads).toBeGreaterThan(0));
    feed.stop();
    await vi.waitFor(() => expect(feed.directory.revision).toBeGreaterThan(0)); // what was asked for has come
    await new Promise((done) => setTimeout(done, 0));
    expect(opened).toBe(0);
  });

  it("finds out that the relay is dead, says so, and reads instead", async () => {
    startFeed({ auditQuietMs: 50 });
    await connectionIs("live");
    server.faults.muteRelay = true;
    world.initiate("medical_spanish");
    await connectionIs("polling");
    expectEqualToApi();
    server.faults.muteRelay = false;
    await connectionIs("live");
  });

  it("says offline when nothing answers, and keeps the picture with its age", async () => {
    world.initiate("medical_spanish");
    startFeed();
    await connectionIs("live");
    const confirmedAt = feed.confirmedAt;
    server.faults.refuseSockets = true;
    server.faults.readStatus = 503;
    server.cut();
    await connectionIs("offline");
    expect(feed.calls.live.size).toBe(1);
    expect(feed.confirmedAt).toBe(confirmedAt);
  });

  it("pings a quiet line and leaves one that does not answer", async () => {
    startFeed({ quietMs: 30, answerWithinMs: 40 });
    await connectionIs("live");
    await vi.waitFor(() => expect(server.heard).toContainEqual({ action: "ping" }));
    expect(feed.connection).toBe("live");
    const before = server.heard.length;
    server.mutePongs = true;
    await vi.waitFor(() =>
      expect(server.heard.slice(before)).toContainEqual(expect.objectContaining({ action: "subscribe" })),
    );
  });

  it("replaces its connection before its end without a gap", async () => {
    startFeed({ replaceAfterMs: 50 });
    await connectionIs("live");
    const states = new Set<string>();
    await vi.waitFor(() => {
      states.add(feed.connection);
      expect(server.heard.filter(({ action }) => action === "subscribe").length).toBeGreaterThan(2);
    });
    expect([...states]).toEqual(["live"]);
    await vi.waitFor(() => expect(server.socketCount).toBe(1));
    world.initiate("medical_spanish");
    await equal();
  });

  it.each([
    [401, "session_ended"],
    [403, "forbidden"],
  ])("stops for good at %i", async (status, halt) => {
    server.faults.readStatus = status;
    startFeed();
    await vi.waitFor(() => expect(feed.halt).toBe(halt));
    expect(server.socketCount).toBe(0);
  });

  it("converges after random cuts, refused replays and mutes under load", { timeout: 20_000 }, async () => {
    startFeed({ auditQuietMs: 40, auditMs: 200 });
    await connectionIs("live");
    for (let round = 0; round < 60; round++) {
      server.faults.canReplay = round % 3 !== 0;
      const calls = world.live;
      const call = calls[(round * 7) % Math.max(1, calls.length)];
      if (call !== undefined && round % 2 === 0) world.end(call);
      else if (call !== undefined) world.hold(call);
      world.initiate("legal_english");
      if (round % 10 === 5) server.cut();
      await new Promise((done) => setTimeout(done, 10));
    }
    await connectionIs("live");
    await equal();
  });
});
