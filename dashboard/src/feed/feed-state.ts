/**
 * The state of a client of the feed, without sockets and clocks. docs/feed.md describes the rules.
 */

import type { Agent, Call, Changes, ServerFrame, Subscribe } from "../contracts";
import { KnownAgents } from "./known-agents";
import { LiveCalls } from "./live-calls";
import { ResumePoint } from "./resume-point";

export class FeedState {
  readonly calls = new LiveCalls();
  readonly knownAgents = new KnownAgents();
  /** True once the present connection was answered `subscribed`. */
  isSubscribed = false;
  private readonly resume = new ResumePoint();

  constructor(follows: (call: Call) => boolean) {
    this.calls.follows = follows;
  }

  /** The position to resume from, or null before there is one. */
  get since(): number | null {
    return this.resume.since();
  }

  get needsSnapshot(): boolean {
    return this.calls.needsSnapshot || this.calls.hasDoubt || this.knownAgents.hasDoubt;
  }

  /** The first message on a new connection. */
  subscribe(topics: string[]): Subscribe {
    const { since } = this;
    this.resume.connected();
    return { action: "subscribe", topics, ...(since !== null && { since }) };
  }

  receive(frame: ServerFrame, now: number): void {
    if (frame.type === "update") {
      this.calls.applyUpdate(frame);
      this.knownAgents.put(frame.agents ?? [], frame.position <= this.calls.wholeAt);
    } else if (frame.type === "subscribed") {
      this.isSubscribed = true;
      if (!frame.replayed) this.calls.markGap();
    } else if (frame.type === "reset") {
      this.calls.markGap();
    } else {
      return;
    }
    this.resume.saw(frame.position, now);
  }

  lost(): void {
    this.isSubscribed = false;
  }

  /** A complete snapshot was read, or a poll was answered. Resuming at its position loses nothing. */
  whole(position: number): void {
    this.resume.whole(position);
  }

  /** Applies a poll's answer. Returns its agents. */
  takeChanges(changes: Changes): readonly Agent[] {
    this.calls.applyChanges(changes);
    this.knownAgents.put(changes.agents);
    return changes.agents;
  }
}
