/** The client's protocol state against the published vectors of the feed (docs/feed.md), and against deliberate faults. */

import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Agent, Call, CallPage, Changes, Event, ServerFrame } from "../src/contracts";
import { FeedState } from "../src/feed/feed-state";
import { KnownAgents } from "../src/feed/known-agents";
import { LiveCalls } from "../src/feed/live-calls";
import { ResumePoint } from "../src/feed/resume-point";
import { merged } from "../src/view/call/call-history";

const FOLDER = new URL("../../docs/feed-vectors/", import.meta.url);

interface Step {
  at: number;
  do: "connect" | "frame" | "cut" | "read" | "answer" | "fail" | "poll";
  if?: "needed";
  frame?: ServerFrame;
  pages?: CallPage[];
  agents?: Agent[];
  changes?: Changes;
  expect?: Record<string, unknown>;
}

interface Vector {
  name: string;
  topics: string[];
  steps: Step[];
}

const vectors = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")) as Vector);

/** Drives the state as `Feed`, `SnapshotReader` and `Directory` do. */
class Client {
  readonly state: FeedState;
  private versions: ReadonlyMap<string, number> = new Map();
  private events: Event[] = [];
  private sent: unknown = null;

  constructor(private readonly topics: string[]) {
    this.state = new FeedState(({ id, queueId, agentId, flags }: Call) =>
      [`queue:${queueId}`, `call:${id}`, `agent:${agentId}`, ...flags.map(() => `alerts:${queueId}`)].some(
        (topic) => topics.includes(topic),
      ),
    );
    this.state.knownAgents.follows = ({ id, queues }) =>
      [`agent:${id}`, ...queues.map((queueId) => `queue:${queueId}`)].some((topic) => topics.includes(topic));
  }

  take(step: Step, isReading: boolean): void {
    const { calls, knownAgents } = this.state;
    if (step.do === "connect") this.sent = this.state.subscribe(this.topics);
    if (step.do === "frame" && step.frame !== undefined) {
      this.state.receive(step.frame, step.at * 1000);
      if (step.frame.type === "update") this.events = merged(this.events, step.frame.events);
    } else if (step.do === "cut") {
      this.state.lost();
    } else if (step.do === "read") {
      calls.beginSnapshot();
      this.versions = knownAgents.versions();
    } else if (step.do === "answer" && isReading) {
      const pages = step.pages ?? [];
      const isWhole =
        pages.every(({ data, position }) => calls.addPage(data, position)) && calls.completeSnapshot();
      knownAgents.takeAll(this.versions, step.agents ?? []);
      if (isWhole) this.state.whole(pages[0]?.position ?? 0);
    } else if (step.do === "fail") {
      calls.abandonSnapshot();
    } else if (step.do === "poll" && step.changes !== undefined) {
      if (step.changes.reset) {
        calls.markGap();
        return;
      }
      this.state.takeChanges(step.changes);
      this.state.whole(step.changes.position);
    }
  }

  get picture(): Record<string, unknown> {
    const calls = [...this.state.calls.live.values()];
    const agents = [...this.state.knownAgents.agents.values()];
    return {
      sends: this.sent,
      calls: Object.fromEntries(calls.map(({ id, version }) => [id, version])),
      agents: Object.fromEntries(agents.map(({ id, version }) => [id, version])),
      agentCalls: Object.fromEntries(agents.map(({ id, callId }) => [id, callId])),
      flags: Object.fromEntries(
        calls.filter(({ flags }) => flags.length > 0).map(({ id, flags }) => [id, flags]),
      ),
      events: Object.fromEntries(this.events.map(({ id, void: isVoid }) => [id, isVoid])),
      since: this.state.since,
      snapshot: this.state.needsSnapshot,
    };
  }
}

function play({ topics, steps }: Vector): void {
  const client = new Client(topics);
  let isReading = false;
  for (const [number, step] of steps.entries()) {
    const { sinceAtMost, ...wanted } = step.expect ?? {};
    if (typeof sinceAtMost === "number") {
      expect(client.state.since, `step ${number}`).toBeLessThanOrEqual(sinceAtMost);
    }
    const reads = step.do === "read" && (step.if === undefined || client.state.needsSnapshot);
    if (step.do !== "read" || reads) client.take(step, isReading);
    if (step.do === "read" || step.do === "answer" || step.do === "fail") isReading = reads;
    const seen = client.picture;
    const named = Object.fromEntries(Object.keys(wanted).map((name) => [name, seen[name]]));
    expect(named, `step ${number}`).toEqual(wanted);
  }
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("our client", () => {
  it("finds the published vectors", () => {
    expect(vectors.length).toBeGreaterThan(20);
  });

  it.each(vectors.map((vector) => [vector.name, vector] as const))("passes %s", (_, vector) => {
    play(vector);
  });
});

describe("the vectors catch a client", () => {
  it.each<[string, () => unknown]>([
    ["that compares no versions", () => vi.spyOn(LiveCalls.prototype, "versionOf").mockReturnValue(-1)],
    ["that ignores gaps", () => vi.spyOn(LiveCalls.prototype, "markGap").mockReturnValue()],
    [
      "that removes nothing after a snapshot",
      () => vi.spyOn(LiveCalls.prototype, "completeSnapshot").mockReturnValue(true),
    ],
    ["that has no doubts", () => vi.spyOn(LiveCalls.prototype, "hasDoubt", "get").mockReturnValue(false)],
    ["that ignores absent agents", () => vi.spyOn(KnownAgents.prototype, "takeAll").mockReturnValue()],
    [
      "that resumes from its first position",
      () => vi.spyOn(ResumePoint.prototype, "whole").mockReturnValue(),
    ],
    [
      "that resumes from the latest position",
      () => {
        const original = ResumePoint.prototype.saw;
        vi.spyOn(ResumePoint.prototype, "saw").mockImplementation(function (this: ResumePoint, position, at) {
          original.call(this, position, at);
          this.whole(position);
        });
      },
    ],
  ])("%s", (_, breakIt) => {
    breakIt();
    const failed = vectors.filter((vector) => {
      try {
        play(vector);
        return false;
      } catch {
        return true;
      }
    });
    expect(failed).not.toEqual([]);
  });
});
