/**
 * Keeps the calls equal to the API's. It subscribes, reads a snapshot, and applies updates by version. It resumes after
 * a disconnect, polls if sockets are refused, and checks a silent feed with a read.
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
  /** Called when the calls, the directory or the connection changed. */
  onChange: () => void;
  onUpdate: (frame: UpdateFrame) => void;
}

const NEVER = Number.POSITIVE_INFINITY;

export class Feed {
  readonly directory: Directory;
  halt: Halt | null = null;
  /** The message of the last error, until it is resolved. */
  errorMessage: string | null = null;
  /** When the calls were last known to be right, by the device's clock. */
  confirmedAt: number | null = null;

  private readonly reader: SnapshotReader;
  private readonly state: FeedState;
  private readonly sockets: SocketManager;
  private readonly readBackoff: Backoff;
  private wasLive = false;
  private isBehind = false;
  private readFailed = false;
  private directoryFailed = false;
  private updatedAt = 0;
  private readAt = 0;
  private retryAt = 0;
  private auditEndsAt = NEVER;
  private nextDirectoryAt = 0;
  private stopTicking: (() => void) | null = null;

  constructor(private readonly options: FeedOptions) {
    // Until the queues are known, show all calls that REST returns.
    this.state = new FeedState(
      ({ queueId }) => this.directory.queues.size === 0 || this.directory.queues.has(queueId),
    );
    this.directory = new Directory(options.api, this.state.knownAgents);
    this.reader = new SnapshotReader(options.api, this.state, options.onChange);
    this.sockets = new SocketManager({
      ...options,
      firstFrame: () => this.state.subscribe(this.directory.topics),
      onFrame: (frame) => this.receive(frame),
      onLost: () => this.handleLost(),
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
      isComplete: !this.calls.needsSnapshot,
      isBehind: this.isBehind,
      isFailing: this.readFailed || this.directoryFailed,
      isConfirmed: this.confirmedAt !== null,
    });
  }

  start(): void {
    this.stopTicking = this.options.timers.every(this.options.times.tickMs, () => this.tick());
    this.tick();
    void this.readSnapshot(); // Shows calls while the socket opens. The read after its opening confirms them.
  }

  stop(): void {
    this.stopTicking?.();
    this.stopTicking = null;
    this.reader.stop();
    this.sockets.close();
    this.state.lost();
  }

  /** The time since the calls were last confirmed. Null before the first time. */
  get ageMs(): number | null {
    return this.confirmedAt === null ? null : this.now - this.confirmedAt;
  }

  /** Retries now instead of after the backoff, for example when the network returns. */
  retryNow(): void {
    this.sockets.openSoon();
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

  /** True if sockets were refused, or there is no queue to subscribe to. */
  private get isPolling(): boolean {
    return !this.isSubscribed && (this.sockets.failedAttempts > 0 || this.hasNoQueues);
  }

  private tick(): void {
    if (this.stopTicking === null) return; // Stopped: a read in progress must not open a socket again.
    const now = this.now;
    if (now >= this.nextDirectoryAt) void this.refreshDirectory();
    if (this.directory.queues.size > 0) this.sockets.tick();
    if (now >= this.auditEndsAt) this.endAudit();
    if (!this.reader.isBusy && now >= this.readDueAt) void this.readSnapshot();
  }

  private get readDueAt(): number {
    const { pollMs, auditMs, auditQuietMs, doubtMs } = this.options.times;
    if (!this.isSubscribed && !this.isPolling) return NEVER;
    if (this.calls.needsSnapshot) return this.retryAt;
    if (this.auditEndsAt !== NEVER) return NEVER;
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
        this.nextDirectoryAt = this.now; // The read in progress began before this request.
        return;
      }
      this.directoryFailed = false;
      if (this.state.knownAgents.hasDoubt) this.readDirectorySoon();
      // No frame announces the first queue, so the lists are read as often as a poll reads calls.
      if (this.hasNoQueues)
        this.nextDirectoryAt = Math.min(this.nextDirectoryAt, this.now + this.options.times.pollMs);
      if (added.length > 0 && this.isSubscribed) {
        this.sockets.send({ action: "subscribe", topics: added });
      }
      this.options.onChange();
      this.tick();
    } catch (error) {
      this.nextDirectoryAt = this.now + this.readBackoff.next();
      this.directoryFailed = true;
      this.fail(error);
    }
  }

  private handleLost(): void {
    this.state.lost();
    this.isBehind = false;
    this.auditEndsAt = NEVER;
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
    else this.confirm();
    this.readFailed = false;
  }

  private receiveUpdate(frame: UpdateFrame, isNewAgent: boolean): void {
    this.directory.agentsChanged();
    if (isNewAgent) this.readDirectorySoon();
    this.updatedAt = this.now;
    if (this.isSubscribed) this.confirm(); // Otherwise it is part of a replay, which `subscribed` ends.
    this.options.onUpdate(frame);
  }

  private namesNewAgent(frame: UpdateFrame): boolean {
    return (frame.agents ?? []).some(({ id }) => !this.directory.agents.has(id));
  }

  /** Reads the lists soon, because an agent joined these queues, or left them and the frame was late. */
  private readDirectorySoon(): void {
    this.nextDirectoryAt = Math.min(this.nextDirectoryAt, this.now + this.options.times.doubtMs);
  }

  /** Updates were lost. Only a snapshot that begins after this moment is complete. */
  private handleGap(): void {
    this.auditEndsAt = NEVER;
    if (this.wasLive) this.nextDirectoryAt = 0; // An agent may have left these queues without a frame.
    this.tick();
  }

  private receiveError(status: number, title: string): void {
    if (status === 401) this.endSession("session_ended");
    else this.errorMessage = title;
  }

  private async readSnapshot(): Promise<void> {
    const isAudit = this.isSubscribed && !this.calls.needsSnapshot;
    const isComplete =
      this.isPolling || (this.isSubscribed && (this.calls.needsSnapshot || this.calls.hasDoubt));
    const socket = this.sockets.current;
    try {
      await this.refresh();
      // After an audit, events of its calls may still arrive, so its position is no point to resume from.
      if (isComplete && this.reader.wholeAt !== null) this.state.whole(this.reader.wholeAt);
      this.readAt = this.now;
      this.readFailed = false;
      this.errorMessage = null;
      this.readBackoff.reset();
      this.confirm();
      if (isAudit && socket === this.sockets.current)
        this.auditEndsAt = this.now + this.options.times.settleMs;
      this.options.onChange();
    } catch (error) {
      this.retryAt = this.now + this.readBackoff.next();
      this.readFailed = true;
      this.fail(error);
    }
  }

  /** Reads a snapshot, or only the changes if the feed does not deliver them. */
  private async refresh(): Promise<void> {
    const isFed = this.isSubscribed && !this.isBehind;
    if (isFed || this.calls.needsSnapshot) return this.reader.read();
    const agents = await this.reader.poll();
    if (agents === null) this.nextDirectoryAt = 0;
    else this.directory.agentsChanged();
  }

  /** If the feed has not delivered what the audit read, it lags: poll instead. */
  private endAudit(): void {
    this.auditEndsAt = NEVER;
    this.isBehind = this.calls.aheadOfFeedCount > 0;
    this.options.onChange();
  }

  private confirm(): void {
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
