/** Random faults in a made-up time: whatever they were, once they are over the page equals the API. */

import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { ResumePoint } from "../src/feed/resume-point";
import { Stage } from "./fake/stage";

const FAULTS = [
  "cut",
  "stall",
  "refuse",
  "admit",
  "fail",
  "answer",
  "forget",
  "remember",
  "drop",
  "reset",
] as const;
const WORK = ["begin", "hold", "end"] as const;

const steps = fc.array(
  fc.record({
    // Work happens more often than faults do.
    what: fc.oneof(
      { weight: 2, arbitrary: fc.constantFrom(...WORK) },
      { weight: 1, arbitrary: fc.constantFrom(...FAULTS) },
    ),
    which: fc.nat(20),
    pauseMs: fc.oneof(fc.nat(200), fc.nat(8_000)),
  }),
  { minLength: 5, maxLength: 60 },
);

type Step = typeof steps extends fc.Arbitrary<(infer Each)[]> ? Each : never;

function take(stage: Stage, { what, which }: Step): void {
  const { world } = stage;
  const call = world.live[which % Math.max(1, world.live.length)];
  if (what === "begin") world.initiate(which % 2 === 0 ? "medical_spanish" : "legal_english");
  else if (what === "hold" && call !== undefined) world.hold(call);
  else if (what === "end" && call !== undefined) world.end(call);
  else if (what === "cut") stage.cut();
  else if (what === "stall") stage.stall();
  else if (what === "refuse" || what === "admit") stage.refusesSockets = what === "refuse";
  else if (what === "fail" || what === "answer") stage.failsReads = what === "fail";
  else if (what === "forget" || what === "remember") stage.server.faults.canReplay = what === "remember";
  else if (what === "drop") stage.drops = true;
  else if (what === "reset") stage.reset();
}

/** Of two places in a sequence a generator gives the same numbers, so that a failure can be shrunk and run again. */
function drawing(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

async function run(seed: number, schedule: Step[]): Promise<Stage> {
  const stage = new Stage(drawing(seed));
  Object.assign(stage, { relayMs: 2_000, askMs: 150, answerMs: 250 });
  await stage.live();
  for (const step of schedule) {
    take(stage, step);
    await stage.clock.advance(step.pauseMs);
  }
  Object.assign(stage, { refusesSockets: false, failsReads: false });
  if (stage.drops) stage.reset();
  await stage.clock.advance(90_000); // a stalled line is found out, a refused one tried again
  return stage;
}

const schedules = fc.tuple(fc.integer({ min: 0 }), steps);

describe("after any faults", () => {
  it("the page equals the API and knows that it does", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(schedules, async ([seed, schedule]) => {
        const stage = await run(seed, schedule);
        expect(stage.shown).toEqual(stage.truth);
        expect(stage.feed.connection).toBe("live");
        stage.feed.stop();
      }),
      { numRuns: 200 },
    );
  });
});

describe("a cut between a frame and an earlier one that it overtook", () => {
  async function overtaken(stage: Stage): Promise<Stage> {
    await stage.live();
    await stage.clock.advance(10_000);
    const draws = [0, 0, 1]; // the first frame takes its time, the second none
    vi.spyOn(stage, "draw").mockImplementation(() => draws.shift() ?? 0);
    stage.relayMs = 1_000;
    stage.world.initiate("medical_spanish");
    stage.world.initiate("legal_english");
    await stage.clock.advance(500);
    stage.cut();
    await stage.clock.advance(5_000);
    return stage;
  }

  it("loses nothing, because resuming overlaps", async () => {
    const stage = await overtaken(new Stage());
    expect(stage.shown).toEqual(stage.truth);
  });

  it("would lose the earlier one if it did not", async () => {
    vi.spyOn(ResumePoint.prototype, "saw").mockImplementation(function (this: ResumePoint, position) {
      Object.assign(this, { settled: position });
    });
    const stage = await overtaken(new Stage());
    expect(stage.shown).not.toEqual(stage.truth);
    vi.restoreAllMocks();
  });
});
