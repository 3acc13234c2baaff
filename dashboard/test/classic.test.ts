/** The three classic failures of a snapshot and a feed: each is met by its safeguard, and happens without it. */

import { afterEach, describe, expect, it, vi } from "vitest";
import { LiveCalls } from "../src/feed/live-calls";
import { Stage } from "./fake/stage";

afterEach(() => {
  vi.restoreAllMocks();
});

async function gapBetweenSnapshotAndSubscription(stage: Stage): Promise<void> {
  stage.openMs = 500;
  stage.feed.start(); // reads at once, long before the socket is subscribed
  await stage.clock.advance(400);
  stage.world.initiate("medical_spanish");
  await stage.clock.advance(5_000);
}

async function gapDuringAReload(stage: Stage): Promise<void> {
  await stage.live();
  stage.answerMs = 1_000;
  stage.drops = true;
  stage.reset();
  await stage.clock.advance(500);
  stage.drops = true; // The read under way has been answered before this, and will come after it.
  stage.world.initiate("medical_spanish");
  stage.reset();
  await stage.clock.advance(5_000);
}

async function recoveryThatFailsDuringAReload(stage: Stage): Promise<void> {
  await stage.live();
  stage.drops = true;
  stage.world.initiate("medical_spanish");
  await stage.clock.advance(10_000);
  stage.failsReads = true;
  stage.reset();
  await stage.clock.advance(100);
  stage.world.initiate("legal_english"); // delivered, so that a resumption would begin after the dropped update
  await stage.clock.advance(10_000);
  stage.world.initiate("legal_english");
  await stage.clock.advance(100);
  stage.cut();
  stage.failsReads = false;
  await stage.clock.advance(20_000);
}

async function updateBeforeAnOlderSnapshot(stage: Stage): Promise<void> {
  const call = stage.world.initiate("medical_spanish");
  stage.answerMs = 1_000;
  stage.feed.start();
  await stage.clock.advance(1_500); // The snapshot that follows the subscription is on its way.
  stage.world.hold(call);
  await stage.clock.advance(5_000);
}

/** Each removes one safeguard. */
const takeOut = {
  gapsCount: () => vi.spyOn(LiveCalls.prototype, "markGap").mockImplementation(() => {}),
  gapsEndReads: () =>
    vi.spyOn(LiveCalls.prototype, "markGap").mockImplementation(function (this: LiveCalls) {
      Object.assign(this, { needed: true });
    }),
  onlyWholeReadsHeal: () =>
    vi.spyOn(LiveCalls.prototype, "abandonSnapshot").mockImplementation(function (this: LiveCalls) {
      Object.assign(this, { needed: false, load: null });
    }),
  versions: () => vi.spyOn(LiveCalls.prototype, "versionOf").mockReturnValue(-1),
};

describe.each([
  ["a gap between snapshot and subscription", gapBetweenSnapshotAndSubscription, takeOut.gapsCount],
  ["a gap during a reload", gapDuringAReload, takeOut.gapsEndReads],
  ["a recovery that fails during a reload", recoveryThatFailsDuringAReload, takeOut.onlyWholeReadsHeal],
  ["an update before an older snapshot", updateBeforeAnOlderSnapshot, takeOut.versions],
])("%s", (_, happens, takeSafeguardOut) => {
  it("leaves the picture as the API's", async () => {
    const stage = new Stage();
    await happens(stage);
    expect(stage.shown).toEqual(stage.truth);
    expect(stage.feed.connection).toBe("live");
  });

  it("would falsify it without its safeguard", async () => {
    takeSafeguardOut();
    const stage = new Stage();
    await happens(stage);
    expect(stage.shown).not.toEqual(stage.truth);
  });
});
