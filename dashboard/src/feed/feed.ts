/**
 * Keeps the calls equal to the API's: subscribe, then read the snapshot, then apply by version; resume after a cut,
 * poll where sockets are not to be had, and check a silent feed by reading.
 */

import type { ServerFrame, SubscribedFrame, UpdateFrame } from "../contracts";
import { type Api, ApiError, type Halt, messageOf } from "./api";
import { Backoff } from "./backoff";
import { type Connection, connectionOf } from "./connection";
import { Directory } from "./directory";
import type { Socket } from "./feed-socket";
import { FeedState } from "./feed-state";
import type { LiveCalls } from "./live-calls";
import { SnapshotReader } from "./snapshot-reader";
import { SocketManager } from "./socket-manager";
import type { Timers } from "./timers";
import type { FeedTimes } from "./times";

export interface FeedOptions {
  api: Api;
  openSocket: () => Socket;
  timers: Timers;
  random: () => number;
  times: FeedTimes;
  /** The calls, the directory or the state of the connection is no longer what it was. */
  onChange: () => void;
  onUpdate: (frame: UpdateFrame) => void;
}

const NEVER = Number.POSITIVE_INFINITY;

export class Feed {
  readonly directory: Directory;
  halt: Halt | null = null;
  /** What went wrong last, as long as it is wrong. */
  errorMessage: string | null = null;
  /** When the picture was last known to be right, by our clock. */
  confirmedAt: number | null = null;

  private readonly reader: SnapshotReader;
  private readonly state: FeedState;
  private readonly lines: SocketManager;
  private readonly readBackoff: Backoff;
  private wasLive = false;
  private isBehind = false;
  private readFailed = false;
  private directoryFailed = false;
  private updatedAt = 0;
  private readAt = 0;
  private retryAt = 0;
  private settleAt = NEVER;
  private nextDirectoryAt = 0;
  private stopTicking: (() => void) | null = null;

  constructor(private readonly options: FeedOptions) {
    // Before the queues are known, whatever REST shows is worth showing.
    this.state = new FeedState(
      ({ queueId }) => this.directory.queues.size === 0 || this.directory.queues.has(queueId),
    );
    this.directory = new Directory(options.api, this.state.knownAgents);
    this.reader = new SnapshotReader(options.api, this.state, options.onChange);
    this.lines = new SocketManager({
      ...options,
      hello: () => this.state.subscribe(this.directory.topics),
      onFrame: (frame) => this.receive(frame),
      onLost: () => this.lineLost(),
    });
    this.readBackoff = new Backoff(500, 15_000, options.random);
  }

  get calls(): LiveCalls {
    return this.state.calls;
  }

  get connection(): Connection {
    return connectionOf({
      isSubscribed: this.isSubscribed,
      wasLive: this.wasLive,
      isPolling: this.isPolling,
      hasNoQueues: this.hasNoQueues,
      isWhole: !this.calls.needsSnapshot,
      isBehind: this.isBehind,
      isFailing: this.readFailed || this.directoryFailed,
      hasPicture: this.confirmedAt !== null,
    });
  }

  start(): void {
    this.stopTicking = this.options.timers.every(this.options.times.tickMs, () => this.tick());
    this.tick();
    void this.readSnapshot(); // Something to see while the socket opens. What counts is the read that follows its opening.
  }

  stop(): void {
    this.stopTicking?.();
    this.stopTicking = null;
    this.reader.stop();
    this.lines.close();
    this.state.lost();
  }

  /** How old the picture is: since when nobody has said that it still holds. Null before the first. */
  get ageMs(): number | null {
    return this.confirmedAt === null ? null : this.now - this.confirmedAt;
  }

  /** The machine woke up or found its network again: try at once rather than when the backoff ends. */
  retryNow(): void {
    this.lines.openSoon();
    this.nextDirectoryAt = this.retryAt = 0;
    this.tick();
  }

  endSession(halt: Halt): void {
    this.halt = halt;
    this.stop();
    this.options.onChange();
  }

  private get isSubscribed(): boolean {
    return this.state.isSubscribed;
  }

  private get now(): number {
    return this.options.timers.now();
  }

  /** True once the queues have been read and there are none for this token. */
  get hasNoQueues(): boolean {
    return this.directory.revision > 0 && this.directory.queues.size === 0;
  }

  /** Sockets were refused, or there is no queue yet to subscribe to. */
  private get isPolling(): boolean {
    return !this.isSubscribed && (this.lines.refusals > 0 || this.hasNoQueues);
  }

  private tick(): void {
    if (this.stopTicking === null) return; // Stopped: a read that was under way must not open a line again.
    const now = this.now;
    if (now >= this.nextDirectoryAt) void this.refreshDirectory();
    if (this.directory.queues.size > 0) this.lines.tick();
    if (now >= this.settleAt) this.settleAudit();
    if (!this.reader.isBusy && now >= this.readDueAt) void this.readSnapshot();
  }

  private get readDueAt(): number {
    const { pollMs, auditMs, auditQuietMs, doubtMs } = this.options.times;
    if (!this.isSubscribed && !this.isPolling) return NEVER;
    if (this.calls.needsSnapshot) return this.retryAt;
    if (this.settleAt !== NEVER) return NEVER;
    if (!this.isSubscribed || this.isBehind) return Math.max(this.retryAt, this.readAt + pollMs);
    if (this.calls.hasDoubt) return Math.max(this.retryAt, this.readAt + doubtMs);
    const quietAt = Math.max(this.updatedAt, this.readAt) + auditQuietMs;
    return Math.max(this.retryAt, Math.min(this.readAt + auditMs, quietAt));
  }

  private async refreshDirectory(): Promise<void> {
    this.nextDirectoryAt = this.now + this.options.times.directoryMs;
    try {
      const added = await this.directory.refresh();
      if (added === null) {
        this.nextDirectoryAt = this.now; // What is under way began before we were told to read.
        return;
      }
      this.directoryFailed = false;
      if (this.state.knownAgents.hasDoubt) this.readDirectorySoon();
      // No frame announces the first queue: it is found by reading, as often as a poll reads calls.
      if (this.hasNoQueues)
        this.nextDirectoryAt = Math.min(this.nextDirectoryAt, this.now + this.options.times.pollMs);
      if (added.length > 0 && this.isSubscribed) {
        this.lines.send({ action: "subscribe", topics: added });
      }
      this.options.onChange();
      this.tick();
    } catch (error) {
      this.nextDirectoryAt = this.now + this.readBackoff.next();
      this.directoryFailed = true;
      this.fail(error);
    }
  }

  private lineLost(): void {
    this.state.lost();
    this.isBehind = false;
    this.settleAt = NEVER;
    this.options.onChange();
  }

  private receive(frame: ServerFrame): void {
    const isNewAgent = frame.type === "update" && this.namesNewAgent(frame);
    this.state.receive(frame, this.now);
    if (frame.type === "subscribed") this.receiveSubscribed(frame);
    else if (frame.type === "update") this.receiveUpdate(frame, isNewAgent);
    else if (frame.type === "reset") this.handleGap();
    else if (frame.type === "error") this.receiveError(frame.problem.status, frame.problem.title);
    this.options.onChange();
  }

  private receiveSubscribed(frame: SubscribedFrame): void {
    this.updatedAt = this.now;
    if (!frame.replayed) this.handleGap();
    else this.prove();
    this.readFailed = false;
  }

  private receiveUpdate(frame: UpdateFrame, isNewAgent: boolean): void {
    this.directory.agentsChanged();
    if (isNewAgent) this.readDirectorySoon();
    this.updatedAt = this.now;
    if (this.isSubscribed) this.prove(); // Else it is part of a replay, whose end `subscribed` tells.
    this.options.onUpdate(frame);
  }

  private namesNewAgent(frame: UpdateFrame): boolean {
    return (frame.agents ?? []).some(({ id }) => !this.directory.agents.has(id));
  }

  /** An agent is new to our queues, or has just left them and the frame came late: the next list says which. */
  private readDirectorySoon(): void {
    this.nextDirectoryAt = Math.min(this.nextDirectoryAt, this.now + this.options.times.doubtMs);
  }

  /** Something was missed: only a snapshot that begins after this moment heals it. */
  private handleGap(): void {
    this.settleAt = NEVER;
    if (this.wasLive) this.nextDirectoryAt = 0; // An agent may have left our queues: no later frame tells of it.
    this.tick();
  }

  private receiveError(status: number, title: string): void {
    if (status === 401) this.endSession("session_ended");
    else this.errorMessage = title;
  }

  private async readSnapshot(): Promise<void> {
    const isAudit = this.isSubscribed && !this.calls.needsSnapshot;
    const heals = this.isPolling || (this.isSubscribed && (this.calls.needsSnapshot || this.calls.hasDoubt));
    const line = this.lines.current;
    try {
      await this.refresh();
      // After an audit, events of the calls that it read may still be on their way: it does not say where to resume.
      if (heals && this.reader.wholeAt !== null) this.state.whole(this.reader.wholeAt);
      this.readAt = this.now;
      this.readFailed = false;
      this.errorMessage = null;
      this.readBackoff.reset();
      this.prove();
      if (isAudit && line === this.lines.current) this.settleAt = this.now + this.options.times.settleMs;
      this.options.onChange();
    } catch (error) {
      this.retryAt = this.now + this.readBackoff.next();
      this.readFailed = true;
      this.fail(error);
    }
  }

  /** Where no feed keeps the calls up, only what changed is read. */
  private async refresh(): Promise<void> {
    const isFed = this.isSubscribed && !this.isBehind;
    if (isFed || this.calls.needsSnapshot) return this.reader.read();
    const agents = await this.reader.poll();
    if (agents === null) this.nextDirectoryAt = 0;
    else this.directory.agentsChanged();
  }

  /** What the audit found and the feed has still not told means that the feed lags: say so, and read instead. */
  private settleAudit(): void {
    this.settleAt = NEVER;
    this.isBehind = this.calls.aheadOfFeedCount > 0;
    this.options.onChange();
  }

  private prove(): void {
    if (this.calls.needsSnapshot) return;
    this.confirmedAt = this.now;
    this.wasLive ||= this.isSubscribed;
  }

  private fail(error: unknown): void {
    if (this.halt !== null) return;
    const halt = error instanceof ApiError ? error.halt : null;
    if (halt !== null) {
      this.endSession(halt);
      return;
    }
    this.errorMessage = messageOf(error);
    this.options.onChange();
  }
}
