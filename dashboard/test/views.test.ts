/** Alerts, groups, agents, timelines and resources. */

import { describe, expect, it, vi } from "vitest";
import type { Agent, AgentStatus, Alert, Call, Event } from "../src/contracts";
import { Api, ApiError } from "../src/feed/api";
import { countByStatus, matchingAgents, parseAgentFilters, sortAgents } from "../src/model/agent-list";
import { AlertLog, MAX_RESOLVED } from "../src/model/alerts";
import { entriesOf } from "../src/model/groups";
import { MissedOffers } from "../src/model/missed-offers";
import { flagsOf, holdsOf, offersOf, stateSpansOf } from "../src/model/timeline";
import { Resource } from "../src/resource";
import { CallHistory } from "../src/view/call/call-history";
import { duration, mean } from "../src/view/figures/figures";
import { World } from "./fake/world";

const START = Date.parse("2026-01-01T12:00:00.000Z");
const at = (seconds: number) => START + seconds * 1_000;

function floor() {
  let now = START;
  const world = new World(() => now);
  const queues = new Map(world.queues.map((queue) => [queue.id, queue]));
  return {
    world,
    queues,
    historyOf: ({ id }: Call) => world.events.get(id) ?? [],
    live: () => new Map(world.live.map((call) => [call.id, call])),
    later: (seconds: number) => {
      now = at(seconds);
    },
  };
}

function alertOn(call: Call, change: Partial<Alert> = {}): Alert {
  const { id: callId, queueId } = call;
  const raisedAt = new Date(at(30)).toISOString();
  return { id: "e-1", callId, queueId, flag: "sla_breached", raisedAt, withdrawn: false, ...change };
}

describe("alerts", () => {
  it("are new once and are removed when withdrawn", () => {
    const { world } = floor();
    const alert = alertOn(world.initiate("medical_spanish"));
    const alertLog = new AlertLog();
    expect(alertLog.receive([alert])).toHaveLength(1);
    expect(alertLog.receive([alert, alert])).toEqual([]);
    alertLog.receive([{ ...alert, withdrawn: true }]);
    expect(alertLog.all).toEqual([]);
  });

  it("are over once their cause is", () => {
    const { world, queues, live, later } = floor();
    const call = world.initiate("medical_spanish");
    later(31);
    const alertLog = new AlertLog();
    alertLog.receive([alertOn(world.breach(call))]);
    alertLog.check(live(), queues, at(32));
    expect(alertLog.all.map(({ isOpen }) => isOpen)).toEqual([true]);
    world.answer(world.offer(call, "agent-01"));
    alertLog.check(live(), queues, at(40));
    expect(alertLog.all.map(({ isOpen }) => isOpen)).toEqual([false]);
  });

  it("are kept while open; of resolved ones the newest", () => {
    const { world, queues, live, later } = floor();
    const calls = Array.from({ length: MAX_RESOLVED + 100 }, () => world.initiate("medical_spanish"));
    later(31);
    const alerts = calls.map((call) => alertOn(world.breach(call)));
    const alertLog = new AlertLog();
    alertLog.receive(alerts);
    alertLog.check(live(), queues, at(32));
    expect(alertLog.all).toHaveLength(calls.length);
    expect(alertLog.receive(alerts)).toEqual([]);
    for (const call of calls) world.end(call, "abandoned");
    alertLog.check(live(), queues, at(33));
    expect(alertLog.all).toHaveLength(MAX_RESOLVED);
    expect(alertLog.all.map(({ callId }) => callId)).not.toContain(calls[0]?.id);
  });

  it("from before the page was opened follow from the calls that still carry them", () => {
    const { world, queues, live, later } = floor();
    const call = world.initiate("medical_spanish");
    later(31);
    world.breach(call);
    const alertLog = new AlertLog();
    alertLog.check(live(), queues, at(100));
    expect(alertLog.all).toMatchObject([
      { callId: call.id, kind: "sla_breached", raisedAt: at(30), isDated: true, isOpen: true },
    ]);
  });

  it("from before then have no date where the call does not tell it, until the feed does", () => {
    const { world, queues, live } = floor();
    const call = world.exceedHold(
      world.hold(world.answer(world.offer(world.initiate("legal_spanish"), "agent-01"))),
    );
    const alertLog = new AlertLog();
    alertLog.check(live(), queues, at(600));
    expect(alertLog.all).toMatchObject([{ kind: "hold_exceeded", isDated: false, isOpen: true }]);
    alertLog.receive([alertOn(call, { flag: "hold_exceeded" })]);
    expect(alertLog.all).toMatchObject([{ kind: "hold_exceeded", raisedAt: at(30), isDated: true }]);
  });

  it("tell a queue beyond its threshold once an episode, with the most that it came to", () => {
    const { world } = floor();
    const alertLog = new AlertLog();
    const watch = (seconds: number) =>
      alertLog.checkThresholds(world.live, () => ({ waiting: 1, waitSeconds: null }), at(seconds), [
        "medical_spanish",
      ]);
    const calls = [1, 2, 3].map(() => world.initiate("medical_spanish"));
    expect(watch(1)).toHaveLength(1);
    expect(watch(2)).toEqual([]);
    for (const call of calls) world.end(call, "abandoned");
    watch(3);
    expect(alertLog.all).toMatchObject([{ kind: "queue_waiting", measure: 3, isOpen: false }]);
    for (const _ of calls) world.initiate("medical_spanish");
    expect(watch(4)).toHaveLength(1);
  });
});

describe("an open call's history", () => {
  it("is read again by itself when it could not be read", async () => {
    vi.useFakeTimers();
    const call = new World().initiate("medical_spanish");
    const read = vi.fn<() => Promise<Call>>().mockRejectedValueOnce(new TypeError("no network"));
    const api = { call: read.mockResolvedValue(call), callEvents: async () => [] } as unknown as Api;
    const history = new CallHistory(call.id, api, null);
    await vi.advanceTimersByTimeAsync(0);
    expect(history.state.value).toBe("failed");
    await vi.runAllTimersAsync();
    expect(history.state.value).toBe("ready");
    history.close();
    vi.useRealTimers();
  });
});

describe("groups", () => {
  it("stand in the order of their first call and count their own", () => {
    const { world, queues } = floor();
    const spanish = world.initiate("medical_spanish");
    const english = world.initiate("medical_english");
    const legal = world.answer(world.offer(world.initiate("legal_spanish"), "agent-01"));
    const entries = entriesOf([english, spanish, legal], "language", queues, at(31));
    expect(entries.map(({ call, group }) => call?.id ?? group?.key)).toEqual([
      "en",
      english.id,
      "es",
      spanish.id,
      legal.id,
    ]);
    expect(entries[2]?.group).toMatchObject({ total: 2, waiting: 1, overTarget: 1, longestWaitMs: 31_000 });
  });
});

describe("the roster", () => {
  const agent = (id: string, status: AgentStatus, since: number, change: Partial<Agent> = {}): Agent => ({
    ...(new World().agents[0] as Agent),
    ...{ id, name: `Name of ${id}`, status, statusSince: new Date(at(since)).toISOString() },
    ...change,
  });
  const agents = [
    agent("a", "away", 0),
    agent("b", "available", 20),
    agent("c", "available", 10, { languages: ["fr"] }),
    agent("d", "on_call", 0, { queues: ["legal_spanish"] }),
  ];
  const shown = (query: string) => {
    const filters = parseAgentFilters(new URLSearchParams(query));
    return sortAgents(matchingAgents(agents, filters), filters.statuses).map(({ id }) => id);
  };

  it("leads with who is free, longest first", () => expect(shown("")).toEqual(["c", "b", "d", "a"]));

  it.each([
    ["language=fr", ["c"]],
    ["queue=medical_english", ["c", "b", "a"]],
    ["status=away,on_call", ["d", "a"]],
    ["status=nonsense", ["c", "b", "d", "a"]],
    ["text=NAME+OF+B", ["b"]],
  ])("shows for %s", (query, ids) => expect(shown(query)).toEqual(ids));

  it("counts matching agents by state", () =>
    expect(countByStatus(agents)).toMatchObject({ available: 2, on_call: 1, away: 1, offline: 0 }));
});

describe("a call's offers, holds and flags", () => {
  it("are to scale: who was rung, how long, what came of it", () => {
    const { world, later, historyOf } = floor();
    const call = world.initiate("medical_spanish");
    later(10);
    const first = world.offer(call, "agent-01");
    later(25);
    const second = world.offer(first, "agent-02", 2);
    later(30);
    world.answer(second);
    const offers = offersOf(historyOf(call), at(90));
    expect(offers).toEqual([
      { agentId: "agent-01", fromMs: at(10), toMs: at(25), outcome: "withdrawn" },
      { agentId: "agent-02", fromMs: at(25), toMs: at(30), outcome: "answered" },
    ]);
    expect(flagsOf({ ...call, flags: ["rerouted"] }, historyOf(call), undefined, at(90))).toEqual([
      { flag: "rerouted", atMs: at(25), isVoid: false },
    ]);
  });

  it("count a miss as one, and neither offers nor courses heed what is void", () => {
    const { world, later, historyOf } = floor();
    const call = world.offer(world.initiate("medical_spanish"), "agent-01");
    later(15);
    const miss = { ...(historyOf(call)[1] as Event), id: "e-miss", type: "answer_timed_out" };
    const events = [
      ...historyOf(call),
      { ...miss, timestamp: new Date(at(15)).toISOString(), occurredAt: null },
    ];
    expect(offersOf(events, at(60)).map(({ outcome, toMs }) => [outcome, toMs])).toEqual([
      ["missed", at(15)],
    ]);
    const disproved = events.map((event) => (event.id === "e-miss" ? { ...event, void: true } : event));
    expect(offersOf(disproved, at(60)).map(({ outcome, toMs }) => [outcome, toMs])).toEqual([
      ["ringing", at(60)],
    ]);
    expect(stateSpansOf(disproved, at(60)).map(({ state }) => state)).toEqual(["ringing"]);
  });

  it("mark where a hold became too long, reported either way", () => {
    const { world, later, historyOf } = floor();
    const active = world.answer(world.offer(world.initiate("medical_spanish"), "agent-01"));
    later(10);
    const held = world.hold(active);
    later(80);
    world.resume(held);
    expect(holdsOf(historyOf(active), at(200), 60)).toEqual([
      { fromMs: at(10), toMs: at(80), exceededMs: at(70) },
    ]);
    const reported = historyOf(active).flatMap((event) => {
      if (event.type === "call_resumed") return [];
      return event.type === "call_hold" ? [{ ...event, metadata: { holdDuration: 5 } }] : [event];
    });
    expect(holdsOf(reported, at(200), 60)).toEqual([{ fromMs: at(5), toMs: at(10), exceededMs: null }]);
  });

  it("show a flag whose event is void, and one without an event", () => {
    const { world, later, historyOf, queues } = floor();
    const call = world.initiate("medical_spanish");
    later(31);
    world.breach(call);
    world.voidEvent(call, "sla_breached");
    const ended: Call = { ...call, flags: ["short_call"], endTime: new Date(at(40)).toISOString() };
    expect(flagsOf(ended, historyOf(call), queues.get(call.queueId), at(40))).toEqual([
      { flag: "sla_breached", atMs: at(31), isVoid: true },
      { flag: "short_call", atMs: at(40), isVoid: false },
    ]);
  });
});

describe("missed offers", () => {
  it("is read, once, of a call that was passed on before the page was opened", async () => {
    const { world, historyOf } = floor();
    const call = world.offer(world.offer(world.initiate("medical_spanish"), "agent-01"), "agent-02", 2);
    const miss = { ...(historyOf(call)[1] as Event), id: "e-miss", type: "answer_timed_out" };
    const asked: string[] = [];
    const read = async (callId: string) => {
      asked.push(callId);
      return [...historyOf(call), miss];
    };
    const missedOffers = new MissedOffers(read, () => {});
    expect(missedOffers.missedBy({ ...call, flags: [] })).toEqual([]);
    expect(asked).toEqual([]);
    missedOffers.missedBy(call);
    missedOffers.missedBy(call);
    await missedOffers.settled();
    expect(asked).toEqual([call.id]);
    expect(missedOffers.missedBy(call)).toEqual(["agent-01"]);
  });

  it("are forgotten with their call", () => {
    const { world, historyOf } = floor();
    const call = world.initiate("medical_spanish");
    const missedOffers = new MissedOffers(
      async () => [],
      () => {},
    );
    world.reroute(call);
    missedOffers.receive(historyOf(call).map((event) => ({ ...event, type: "answer_timed_out" })));
    expect(missedOffers.missedBy(call)).toEqual(["agent-07"]);
    missedOffers.keepOnly(new Map([[call.id, call]]));
    expect(missedOffers.missedBy(call)).toEqual(["agent-07"]);
    missedOffers.keepOnly(new Map());
    expect(missedOffers.missedBy(call)).toEqual([]);
  });
});

describe("a resource", () => {
  const stateAfter = async (error: unknown) => {
    const halts: string[] = [];
    const read = () => Promise.reject(error);
    const resource = new Resource({ read, everyMs: 1_000, onHalt: (halt) => halts.push(halt) });
    await resource.refresh();
    resource.close();
    return halts[0] ?? resource.state.value;
  };

  it.each([
    [401, "session_ended"],
    [403, "forbidden"],
    [404, "refused"],
    [429, "failed"],
    [500, "failed"],
  ])("that is answered %i is %s", async (status, state) =>
    expect(
      await stateAfter(new ApiError(status, { type: "", title: "", status, detail: "", errors: [] })),
    ).toBe(state),
  );

  it.each([403, 404])(
    "that a gateway answers %i in place of the API has failed, and is tried again",
    async (status) => expect(await stateAfter(new ApiError(status, null))).toBe("failed"),
  );

  it("that is not answered has failed", async () =>
    expect(await stateAfter(new TypeError("no network"))).toBe("failed"));
});

describe("figures", () => {
  it("tell a mean to the nearest second, and a wait by its whole seconds", () => {
    expect([40.97, 134.846, 59.5, 0.4, null].map(mean)).toEqual(["0:41", "2:15", "1:00", "0:00", "–"]);
    expect(duration(30.9)).toBe("0:30");
  });
});

describe("the API", () => {
  it("has a message if it does not answer, or not in JSON", async () => {
    const ask = (answer: () => Promise<Response>) => {
      const options = { base: "http://floor", token: "t", localNow: () => START, onDate: () => undefined };
      return new Api({ ...options, fetch: answer }).get("/api/metrics");
    };
    const late = () => Promise.reject(new DOMException("signal timed out", "TimeoutError"));
    await expect(ask(late)).rejects.toThrow("The API does not answer.");
    const cut = () => Promise.resolve(new Response('{"data":'));
    await expect(ask(cut)).rejects.toThrow("The API's response is not valid.");
  });
});
