import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ServerClock } from "../src/clock";
import { OVERLAP_MS, ResumePoint } from "../src/feed/resume-point";

describe("the server's clock", () => {
  it("lies within the bounds that the answers leave, however slow they were", () => {
    const offsets = fc.integer({ min: -3_600_000, max: 3_600_000 });
    const trips = fc.array(fc.record({ there: fc.nat(400), back: fc.nat(400), pause: fc.nat(5_000) }), {
      minLength: 1,
      maxLength: 30,
    });
    fc.assert(
      fc.property(offsets, trips, (offset, answers) => {
        let local = 1_700_000_000_000;
        const clock = new ServerClock(() => local);
        let slowest = 0;
        for (const { there, back, pause } of answers) {
          const sent = local;
          const stamped = Math.floor((sent + there + offset) / 1_000) * 1_000;
          local = sent + there + back;
          clock.sample(new Date(stamped).toUTCString(), sent, local);
          slowest = Math.max(slowest, there + back);
          local += pause;
        }
        expect(Math.abs(clock.now() - (local + offset))).toBeLessThanOrEqual((1_000 + slowest) / 2);
      }),
    );
  });

  it("starts again when a clock was set", () => {
    let local = 5_000_000;
    const clock = new ServerClock(() => local);
    clock.sample(null, local, local);
    clock.sample("no date", local, local);
    expect(clock.isKnown).toBe(false);
    expect(clock.now()).toBe(local);
    clock.sample(new Date(5_060_000).toUTCString(), local, local + 10);
    local += 1_000;
    clock.sample(new Date(local - 3_600_000).toUTCString(), local, local + 10);
    expect(Math.abs(clock.offsetMs + 3_600_000)).toBeLessThan(1_100);
  });
});

describe("the position to resume from", () => {
  it("lags the newest by the overlap, so that a frame overtaken by another is sent again", () => {
    const point = new ResumePoint();
    expect(point.since()).toBeNull();
    point.saw(10, 0);
    point.saw(12, 1_000);
    point.saw(11, 1_500);
    expect(point.since()).toBe(10);
    point.saw(13, 1_000 + OVERLAP_MS);
    expect(point.since()).toBe(12);
  });
});
