/** Order, deadlines, counts, filters and timelines of calls. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAddress, parseAddress } from "../src/address";
import type { Call } from "../src/contracts";
import { countdownOf, isOverTarget, stateOf, waitedMs } from "../src/model/call-state";
import { clockDuration, countdown, roughAge } from "../src/model/durations";
import {
  type Filters,
  FLAGS,
  formatFilters,
  GROUPINGS,
  hidesCalls,
  LIVE_STATES,
  languageName,
  NO_FILTERS,
  parseFilters,
  SORTS,
  selectCalls,
} from "../src/model/filters";
import { summarize } from "../src/model/summary";
import { stateSpansOf } from "../src/model/timeline";
import { merged } from "../src/view/call/call-history";
import { World } from "./fake/world";

const START = Date.parse("2026-01-01T12:00:00.000Z");

function floorAt(secondsLater: number) {
  let now = START;
  const world = new World(() => now);
  const names = {
    queues: new Map(world.queues.map((queue) => [queue.id, queue])),
    agents: new Map(world.agents.map((agent) => [agent.id, agent])),
  };
  const later = (seconds: number) => {
    now = START + seconds * 1_000;
    return now;
  };
  later(secondsLater);
  return { world, names, later, queue: world.queues[0] };
}

describe("a call's deadline", () => {
  it("is calm, then near, then past, by the server's due time", () => {
    const { world, queue } = floorAt(0);
    const call = world.initiate("medical_spanish");
    const tones = [1, 21, 30, 31].map((second) => countdownOf(call, queue, START + second * 1_000)?.tone);
    expect(tones).toEqual(["calm", "near", "past", "past"]);
  });

  it("stays past for a caller who still waits, when the timer has fired and is owed no more", () => {
    const { world, queue, later } = floorAt(0);
    const call = world.initiate("medical_spanish");
    later(31);
    const breached = world.breach(call);
    expect(breached.deadline).toBeNull();
    expect(countdownOf(breached, queue, START + 40_000)).toMatchObject({
      tone: "past",
      dueMs: START + 30_000,
    });
  });

  it("is the offer's while the caller is already over the limit, and the call is in breach all the same", () => {
    const { world, queue, later } = floorAt(0);
    const call = world.initiate("medical_spanish");
    later(31);
    const ringing = world.offer(world.breach(call), "agent-01");
    expect(stateOf(ringing)).toBe("ringing");
    expect(countdownOf(ringing, queue, START + 32_000)).toMatchObject({ kind: "answer", tone: "calm" });
    expect(isOverTarget(ringing, queue, START + 32_000)).toBe(true);
  });

  it("is over for a hold that exceeded its limit, and gone once the call is active", () => {
    const { world, queue } = floorAt(0);
    const held = world.hold(world.answer(world.offer(world.initiate("medical_spanish"), "agent-01")));
    const exceeded = world.exceedHold(held);
    expect(countdownOf(exceeded, queue, START)).toMatchObject({ tone: "past", dueMs: null });
    const resumed = world.resume(exceeded);
    expect(countdownOf(resumed, queue, START)).toBeNull();
    expect(isOverTarget(resumed, queue, START)).toBe(false);
  });

  it("does not count a transferred call's whole life as its wait", () => {
    const { world, queue } = floorAt(0);
    const waitingSince = new Date(START + 590_000).toISOString();
    const call = world.initiate("medical_spanish");
    const transferred: Call = { ...call, waitingSince, waitSeconds: 4, deadline: null };
    expect(waitedMs(transferred, START + 600_000)).toBe(10_000);
    expect(isOverTarget(transferred, queue, START + 600_000)).toBe(false);
  });
});

describe("the order of the floor", () => {
  it("puts broken promises first, by age, then the next deadlines, then the rest", () => {
    const { world, names, later } = floorAt(0);
    const active = world.answer(world.offer(world.initiate("medical_spanish", { id: "active" }), "agent-01"));
    const old = world.initiate("medical_spanish", { id: "old" });
    later(5);
    world.initiate("medical_spanish", { id: "younger" });
    later(34);
    world.offer(world.initiate("medical_english", { id: "offered" }), "agent-02");
    later(20);
    world.initiate("medical_english", { id: "fresh" });
    const order = selectCalls(world.live, NO_FILTERS, names, later(36)).map(({ id }) => id);
    expect(order).toEqual([old.id, "younger", "offered", "fresh", active.id]);
  });

  it("is total: the same calls in any order are shown in one order", () => {
    const { world, names } = floorAt(0);
    for (let index = 0; index < 12; index++) world.initiate("medical_spanish", { agoSeconds: index % 3 });
    const wanted = selectCalls(world.live, NO_FILTERS, names, START);
    fc.assert(
      fc.property(
        fc.shuffledSubarray(world.live, { minLength: 12 }),
        fc.constantFrom(...SORTS),
        (calls, sort) => {
          const filters = { ...NO_FILTERS, sort };
          expect(selectCalls(calls, filters, names, START)).toEqual(
            selectCalls(wanted, filters, names, START),
          );
        },
      ),
    );
  });
});

describe("filters", () => {
  const anyFilters: fc.Arbitrary<Filters> = fc.record({
    queue: fc.option(fc.constantFrom("medical_spanish", "a b&c=d", "ü")),
    language: fc.option(fc.constantFrom("es", "zh-Hans")),
    agent: fc.option(fc.constantFrom("agent-01", "x&y")),
    states: fc.subarray([...LIVE_STATES]),
    flag: fc.option(fc.constantFrom(...FLAGS)),
    breached: fc.boolean(),
    text: fc.string(),
    sort: fc.constantFrom(...SORTS),
    group: fc.option(fc.constantFrom(...GROUPINGS)),
  });

  it("survive the way through the address", () => {
    fc.assert(
      fc.property(anyFilters, (filters) => {
        const { query } = parseAddress(formatAddress("floor", formatFilters(filters)));
        expect(parseFilters(new URLSearchParams(query))).toEqual(filters);
      }),
    );
  });

  it("leave the address bare where nothing is filtered", () => {
    expect(formatAddress("floor", formatFilters(NO_FILTERS))).toBe("#/floor");
    const waiting = formatFilters({ ...NO_FILTERS, states: ["waiting", "ringing"] });
    expect(formatAddress("floor", { ...waiting, call: "c1" })).toBe("#/floor?state=waiting,ringing&call=c1");
    expect(hidesCalls({ ...NO_FILTERS, sort: "newest" })).toBe(false);
  });

  it("ignore what an address from elsewhere may hold", () => {
    expect(
      parseFilters(new URLSearchParams("state=ended,nonsense&flag=__proto__&sort=x&breached=yes")),
    ).toEqual(NO_FILTERS);
  });

  it.each([
    [{ queue: "legal_english" }, ["b"]],
    [{ states: ["ringing"] as const }, ["b"]],
    [{ states: ["waiting", "active"] as const }, ["a", "c"]],
    [{ flag: "sla_breached" as const }, ["a"]],
    [{ breached: true }, ["a"]],
    [{ text: "okafor" }, ["b"]],
    [{ text: "SPANISH" }, ["a", "c"]],
  ])("%o shows %j", (change, wanted) => {
    const { world, names, later } = floorAt(0);
    const waiting = world.initiate("medical_spanish", { id: "a" });
    later(31);
    world.breach(waiting);
    world.offer(world.initiate("legal_english", { id: "b" }), "agent-02");
    world.answer(world.offer(world.initiate("medical_spanish", { id: "c" }), "agent-03"));
    const shown = selectCalls(world.live, { ...NO_FILTERS, ...change }, names, later(32));
    expect(shown.map(({ id }) => id).sort()).toEqual(wanted);
  });

  it("name languages by their tag and leave other words as they are", () => {
    expect([languageName("es"), languageName("es-MX"), languageName("Sign"), languageName(null)]).toEqual([
      "Spanish",
      "Mexican Spanish",
      "Sign",
      null,
    ]);
  });
});

describe("figures", () => {
  it("count each live call once, by what it is now", () => {
    const { world, names, later } = floorAt(0);
    world.initiate("medical_spanish");
    later(20);
    world.offer(world.initiate("medical_english"), "agent-01");
    world.hold(world.answer(world.offer(world.initiate("legal_english"), "agent-02")));
    const now = later(40);
    expect(summarize(world.live, names.queues, null, now)).toEqual({
      total: 3,
      waiting: 2,
      ringing: 1,
      active: 0,
      onHold: 1,
      overHold: 0,
      overTarget: 2,
      longestWaitMs: 40_000,
      longestWaitQueue: "Medical Spanish",
    });
    expect(summarize(world.live, names.queues, "legal_english", now)).toMatchObject({ total: 1, waiting: 0 });
  });
});

describe("a call's course", () => {
  it("ignores events that became void", () => {
    const { world, later } = floorAt(0);
    const call = world.initiate("medical_spanish");
    later(10);
    const ringing = world.offer(call, "agent-01");
    later(25);
    const rerouted = world.offer(ringing, "agent-02", 2);
    later(30);
    world.voidEvent(rerouted, "call_rerouted");
    const active = world.answer(rerouted);
    later(90);
    world.end(active);
    const course = stateSpansOf(world.events.get(call.id) ?? [], later(500));
    expect(course.map(({ state, fromMs, toMs }) => [state, (toMs - fromMs) / 1_000])).toEqual([
      ["waiting", 10],
      ["ringing", 20],
      ["active", 60],
    ]);
  });

  it("takes the newest copy of each event, in the order in which things happened", () => {
    const { world, later } = floorAt(0);
    const call = world.initiate("medical_spanish");
    later(3);
    world.offer(call, "agent-01");
    const [first, second] = world.events.get(call.id) ?? [];
    if (first === undefined || second === undefined) throw new Error("no events");
    expect(merged([second], [first, { ...second, void: true }])).toEqual([first, { ...second, void: true }]);
  });
});

describe("durations", () => {
  it.each([
    [0, "0:00"],
    [59_999, "0:59"],
    [60_000, "1:00"],
    [3_723_000, "1\u00a0h\u00a002"],
    [45_240_000, "12\u00a0h"],
    [360_000_000, "4\u00a0d"],
    [-5, "0:00"],
  ])("%i ms is %s", (ms, text) => expect(clockDuration(ms)).toBe(text));

  it.each([
    [15_000, "0:15"],
    [14_001, "0:15"],
    [1, "0:01"],
    [0, "+0:00"],
    [-61_000, "+1:01"],
  ])("%i ms before a deadline reads %s", (ms, text) => expect(countdown(ms)).toBe(text));

  it.each([
    [900, "0 s"],
    [99_000, "99 s"],
    [100_000, "1 min"],
    [7_200_000, "2 h"],
    [360_000_000, "4 d"],
  ])("an age of %i ms reads %s", (ms, text) => expect(roughAge(ms)).toBe(text));
});
