/** The floor must not depend on the order or the number of copies of what arrives. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Call, CallStatus, UpdateFrame } from "../src/contracts";
import { LiveCalls, MAX_ENDED_IDS } from "../src/feed/live-calls";

function view(id: string, version: number, status: CallStatus = "waiting"): Call {
  return {
    id,
    version,
    status,
    type: "voice",
    queueId: "q",
    startTime: "2026-01-01T00:00:00.000Z",
    endTime: null,
    agentId: null,
    language: null,
    waitingSince: null,
    waitSeconds: null,
    holdSeconds: 0,
    durationSeconds: null,
    endReason: null,
    flags: [],
    offer: null,
    deadline: null,
    priority: null,
    metadata: {},
  };
}

function update(position: number, ...calls: Call[]): UpdateFrame {
  return {
    type: "update",
    position,
    calls,
    events: [],
    agents: [],
    alerts: [],
    left: [],
    eventsOmitted: 0,
    traces: [],
  };
}

function versionsOf(floor: LiveCalls): Record<string, number> {
  return Object.fromEntries([...floor.live].map(([id, call]) => [id, call.version] as const).sort());
}

function readSnapshot(floor: LiveCalls, calls: Call[], position: number): void {
  floor.beginSnapshot();
  floor.addPage(calls, position);
  floor.completeSnapshot();
}

/** A history of the server: which call changes at each position, and how long each call lives. */
const histories = fc
  .record({
    lives: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 }),
    ends: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
    salt: fc.integer(),
  })
  .map(({ lives, ends, salt }) => {
    const steps = lives.flatMap((length, index) =>
      Array.from({ length }, (_, step) => ({
        order: Math.abs(Math.sin(salt + index * 31)) + step, // interleaves the calls, each in its own order
        call: view(`c${index}`, step + 1, ends[index] && step === length - 1 ? "ended" : "active"),
      })),
    );
    return steps.sort((a, b) => a.order - b.order).map(({ call }, index) => update(index + 1, call));
  });

function serverAt(frames: UpdateFrame[], position: number): Call[] {
  const calls = new Map<string, Call>();
  for (const frame of frames) {
    if (frame.position > position) break;
    for (const call of frame.calls) calls.set(call.id, call);
  }
  return [...calls.values()].filter(({ status }) => status !== "ended");
}

function truth(frames: UpdateFrame[]): Record<string, number> {
  return Object.fromEntries(
    serverAt(frames, frames.length)
      .map((call) => [call.id, call.version] as const)
      .sort(),
  );
}

describe("a poll", () => {
  const changes = (position: number, calls: Call[], left: { id: string; version: number }[] = []) => ({
    position,
    reset: false,
    calls,
    left,
    agents: [],
  });

  it("is taken by version, and a call that went to a foreign queue is gone until it returns", () => {
    const floor = new LiveCalls();
    readSnapshot(floor, [view("a", 3), view("b", 1)], 10);
    floor.applyChanges({ ...changes(12, [view("a", 2), view("b", 2, "ended"), view("c", 1)]) });
    expect(versionsOf(floor)).toEqual({ a: 3, c: 1 });
    floor.applyChanges({
      ...changes(
        14,
        [],
        [
          { id: "a", version: 4 },
          { id: "c", version: 1 },
        ],
      ),
    });
    floor.applyUpdate(update(13, view("a", 3)));
    expect(versionsOf(floor)).toEqual({});
    floor.applyUpdate(update(15, view("a", 5)));
    expect(versionsOf(floor)).toEqual({ a: 5 });
  });

  it("and a frame both remove a call that moved to another queue", () => {
    const floor = new LiveCalls();
    floor.follows = ({ queueId }) => queueId === "q";
    readSnapshot(floor, [view("a", 3)], 10);
    floor.applyUpdate(update(12, { ...view("a", 4), queueId: "foreign" }));
    expect(versionsOf(floor)).toEqual({});
    floor.applyUpdate(update(11, view("a", 3)));
    expect(versionsOf(floor)).toEqual({});
    floor.applyUpdate(update(13, view("a", 5)));
    expect(versionsOf(floor)).toEqual({ a: 5 });
  });

  it("may be denied by a snapshot that is read after it, though the snapshot's position lags", () => {
    const floor = new LiveCalls();
    readSnapshot(floor, [], 10);
    floor.applyChanges({ ...changes(20, [view("a", 1)]) });
    readSnapshot(floor, [], 15);
    expect(versionsOf(floor)).toEqual({});
  });
});

describe("frames and snapshot in any order", () => {
  it("end in the server's floor, whatever the order, the copies and the moment of the snapshot", () => {
    const runs = histories.chain((frames) =>
      fc.record({
        frames: fc.constant(frames),
        snapshotAt: fc.nat({ max: frames.length }),
        // Frames from before the subscription may or may not come; those after the snapshot's position all do.
        early: fc.subarray(frames),
        copies: fc.subarray(frames),
        order: fc.array(fc.nat(), { minLength: 40, maxLength: 40 }),
        begin: fc.double({ min: 0, max: 1, noNaN: true }),
        end: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    );
    fc.assert(
      fc.property(runs, ({ frames, snapshotAt, early, copies, order, begin, end }) => {
        const late = frames.filter(({ position }) => position > snapshotAt);
        // A frame's position is where to resume from: as old as the relay likes, or as what it tells.
        const lag = ({ position }: UpdateFrame, by: number) =>
          Math.max(0, position - (by % 3 === 0 ? by % 7 : 0));
        const arriving = [...late, ...early, ...copies]
          .map((frame, index) => ({ frame, key: order[index % order.length] ?? 0 }))
          .sort((a, b) => a.key - b.key)
          .map(({ frame }) => frame);
        const first = Math.floor(Math.min(begin, end) * arriving.length);
        const last = Math.floor(Math.max(begin, end) * arriving.length);
        const floor = new LiveCalls();
        arriving.forEach((sent, index) => {
          // What came before the load began was committed before it: an older picture can only be a replica's, and
          // then at least the positions tell.
          const mayLag = index >= first || sent.position <= snapshotAt;
          const frame = mayLag ? { ...sent, position: lag(sent, order[index % order.length] ?? 0) } : sent;
          if (index === first) floor.beginSnapshot();
          if (index === last) finish(floor, serverAt(frames, snapshotAt), snapshotAt);
          floor.applyUpdate(frame);
        });
        if (last >= arriving.length) {
          if (first >= arriving.length) floor.beginSnapshot();
          finish(floor, serverAt(frames, snapshotAt), snapshotAt);
        }
        settle(floor, frames);
        expect(versionsOf(floor)).toEqual(truth(frames));
        expect(floor.needsSnapshot).toBe(false);
      }),
      { numRuns: 3_000 },
    );
  });

  it("end in the server's floor when each page is read at another moment", () => {
    const runs = histories.chain((frames) =>
      fc.record({
        frames: fc.constant(frames),
        firstAt: fc.nat({ max: frames.length }),
        secondAt: fc.nat({ max: frames.length }),
        // A snapshot taken again after a gap, on top of a floor that is old by any amount.
        oldAt: fc.nat({ max: frames.length }),
      }),
    );
    fc.assert(
      fc.property(runs, ({ frames, firstAt, secondAt, oldAt }) => {
        const [early, late] = [Math.min(firstAt, secondAt), Math.max(firstAt, secondAt)];
        const isFirstHalf = ({ id }: Call) => id < "c2";
        const floor = new LiveCalls();
        readSnapshot(floor, serverAt(frames, Math.min(oldAt, early)), Math.min(oldAt, early));
        floor.markGap();
        floor.beginSnapshot();
        floor.addPage(serverAt(frames, early).filter(isFirstHalf), early);
        floor.addPage(
          serverAt(frames, late).filter((call) => !isFirstHalf(call)),
          late,
        );
        floor.completeSnapshot();
        for (const frame of frames) if (frame.position > early) floor.applyUpdate(frame);
        settle(floor, frames);
        expect(versionsOf(floor)).toEqual(truth(frames));
      }),
      { numRuns: 2_000 },
    );
  });
});

/** What the feed does with a doubt: it reads once more. */
function settle(floor: LiveCalls, frames: UpdateFrame[]): void {
  if (floor.hasDoubt) readSnapshot(floor, serverAt(frames, frames.length), frames.length);
  expect(floor.hasDoubt).toBe(false);
}

function finish(floor: LiveCalls, calls: Call[], position: number): void {
  floor.addPage(calls, position);
  floor.completeSnapshot();
}

describe("the classic failures of a snapshot and a feed", () => {
  it("an older snapshot after an update does not take the call back", () => {
    const floor = new LiveCalls();
    floor.beginSnapshot();
    floor.applyUpdate(update(7, view("a", 3, "active")));
    finish(floor, [view("a", 2)], 6);
    expect(floor.live.get("a")?.version).toBe(3);
  });

  it("an update during the load of a snapshot that does not know the call is kept", () => {
    const floor = new LiveCalls();
    floor.beginSnapshot();
    floor.applyUpdate(update(7, view("new", 1)));
    finish(floor, [], 6);
    expect(versionsOf(floor)).toEqual({ new: 1 });
  });

  it("shows a replayed call that the last snapshot lacked", () => {
    const floor = new LiveCalls();
    readSnapshot(floor, [], 10);
    floor.applyUpdate(update(6, view("new", 1)));
    expect(versionsOf(floor)).toEqual({ new: 1 });
    readSnapshot(floor, [view("new", 1)], 12);
    expect(floor.hasDoubt).toBe(false);
  });

  it("and keeps it when an older snapshot arrives", () => {
    const floor = new LiveCalls();
    readSnapshot(floor, [], 10);
    floor.beginSnapshot();
    floor.applyUpdate(update(6, view("new", 1)));
    finish(floor, [], 10);
    expect(versionsOf(floor)).toEqual({ new: 1 });
    expect(floor.hasDoubt).toBe(true);
  });

  it("a doubt outlives the load that failed to settle it", () => {
    const floor = new LiveCalls();
    readSnapshot(floor, [], 10);
    floor.applyUpdate(update(6, view("new", 1)));
    floor.beginSnapshot();
    floor.abandonSnapshot();
    expect(floor.hasDoubt).toBe(true);
  });

  it("a gap during a load leaves the floor in need of another, and drops nothing by the first", () => {
    const floor = new LiveCalls();
    readSnapshot(floor, [view("a", 1)], 1);
    floor.markGap();
    floor.beginSnapshot();
    floor.addPage([], 2);
    floor.markGap();
    expect(floor.completeSnapshot()).toBe(false);
    expect(floor.needsSnapshot).toBe(true);
    expect(versionsOf(floor)).toEqual({ a: 1 });
  });

  it("a load that failed half way leaves the floor in need of another", () => {
    const floor = new LiveCalls();
    floor.beginSnapshot();
    floor.addPage([view("a", 1)], 1);
    floor.abandonSnapshot();
    expect(floor.completeSnapshot()).toBe(false);
    expect(floor.needsSnapshot).toBe(true);
  });
});

describe("an ended call stays ended", () => {
  it("against an older update and an older snapshot", () => {
    const floor = new LiveCalls();
    floor.applyUpdate(update(5, view("a", 4, "ended")));
    floor.applyUpdate(update(4, view("a", 3, "active")));
    readSnapshot(floor, [view("a", 3, "active")], 3);
    expect(versionsOf(floor)).toEqual({});
  });

  it("when its end was seen only as absence, against whatever the snapshot already covers", () => {
    const floor = new LiveCalls();
    readSnapshot(floor, [view("a", 1)], 1);
    readSnapshot(floor, [], 10);
    floor.applyUpdate(update(9, view("a", 2, "active")));
    expect(floor.hasDoubt).toBe(true);
    readSnapshot(floor, [], 10);
    expect(versionsOf(floor)).toEqual({});
    expect(floor.hasDoubt).toBe(false);
  });

  it("unless something newer says otherwise", () => {
    const floor = new LiveCalls();
    floor.applyUpdate(update(5, view("a", 4, "ended")));
    floor.applyUpdate(update(6, view("a", 5, "active")));
    expect(versionsOf(floor)).toEqual({ a: 5 });
  });

  it("while a bounded number of them is remembered", () => {
    const floor = new LiveCalls();
    for (let index = 0; index <= MAX_ENDED_IDS; index++) {
      floor.applyUpdate(update(index, view(`c${index}`, 1, "ended")));
    }
    expect(floor.versionOf("c0")).toBe(-1);
    expect(floor.versionOf("c1")).toBe(1);
  });
});

describe("a read that knows more than the feed", () => {
  it("is counted until a frame tells the same", () => {
    const floor = new LiveCalls();
    readSnapshot(floor, [view("a", 1), view("b", 1)], 1);
    readSnapshot(floor, [view("a", 2)], 5);
    expect(floor.aheadOfFeedCount).toBe(2);
    floor.applyUpdate(update(4, view("a", 2)));
    floor.applyUpdate(update(5, view("b", 2, "ended")));
    expect(floor.aheadOfFeedCount).toBe(0);
  });
});
