/**
 * Keeps the floor equal to the API's: subscribe, then read the snapshot, then apply by version; resume after a cut,
 * poll where sockets are not to be had, and check a silent feed by reading.
 */

import type { Call, Event, ServerFrame, SubscribedFrame, UpdateFrame } from "../contracts";
import { type Api, ApiError, type Halt } from "./api";
import { Backoff } from "./backoff";
import { Directory } from "./directory";
import { Floor } from "./floor";
import { Line, type Socket } from "./line";
import { SnapshotReader } from "./reader";
import { ResumePoint } from "./resume";
import type { Timers } from "./timers";
import type { FeedTimes } from "./times";

export type Connection = "connecting" | "live" | "resuming" | "polling" | "offline";

export interface FeedOptions {
  api: Api;
  openSocket: () => Socket;
  timers: Timers;
  random: () => number;
  times: FeedTimes;
  /** The floor, the directory or the state of the connection is no longer what it was. */
  onChange: () => void;
  onUpdate: (calls: readonly Call[], events: readonly Event[]) => void;
}

const NEVER = Number.POSITIVE_INFINITY;

export class Feed {
  readonly floor = new Floor();
  readonly directory: Directory;
  halt: Halt | null = null;
  /** What went wrong last, as long as it is wrong. */
  trouble: string | null = null;
  /** When the picture was last known to be right, by our clock. */
  provenAt: number | null = null;

  private readonly reader: SnapshotReader;
  private readonly resume = new ResumePoint();
  private readonly lineBackoff: Backoff;
  private readonly readBackoff: Backoff;
  private line: Line | null = null;
  private spare: Line | null = null;
  private isSubscribed = false;
  private wasSubscribed = false;
  private refusals = 0;
  private isBehind = false;
  private readFailed = false;
  private directoryFailed = false;
  private updatedAt = 0;
  private readAt = 0;
  private retryAt = 0;
  private settleAt = NEVER;
  private replaceAt = NEVER;
  private nextLineAt = 0;
  private nextDirectoryAt = 0;
  private stopTicking: (() => void) | null = null;

  constructor(private readonly options: FeedOptions) {
    this.directory = new Directory(options.api);
    this.reader = new SnapshotReader(options.api, this.floor, options.onChange);
    this.lineBackoff = new Backoff(500, 30_000, options.random);
    this.readBackoff = new Backoff(500, 15_000, options.random);
  }

  get connection(): Connection {
    if (this.isSubscribed && !this.floor.needsSnapshot) return this.isBehind ? "polling" : "live";
    if (this.readFailed || this.directoryFailed) return "offline";
    if (this.provenAt === null || (!this.wasSubscribed && this.refusals === 0)) return "connecting";
    return this.isPolling && !this.floor.needsSnapshot ? "polling" : "resuming";
  }

  start(): void {
    this.stopTicking = this.options.timers.every(this.options.times.tickMs, () => this.tick());
    this.tick();
    void this.readSnapshot(); // Something to see while the socket opens. What counts is the read that follows its opening.
  }

  stop(): void {
    this.stopTicking?.();
    this.reader.stop();
    this.line?.close();
    this.spare?.close();
    this.line = this.spare = null;
    this.isSubscribed = false;
  }

  /** The machine woke up or found its network again: try at once rather than when the backoff ends. */
  nudge(): void {
    this.nextLineAt = this.nextDirectoryAt = this.retryAt = 0;
    this.tick();
  }

  endSession(halt: Halt): void {
    this.halt = halt;
    this.stop();
    this.options.onChange();
  }

  private get now(): number {
    return this.options.timers.now();
  }

  /** Sockets were refused, or there is no queue yet to subscribe to. */
  private get isPolling(): boolean {
    const nothingToHear = this.directory.revision > 0 && this.directory.queues.size === 0;
    return !this.isSubscribed && (this.refusals > 0 || nothingToHear);
  }

  private tick(): void {
    if (this.halt !== null) return;
    const now = this.now;
    if (now >= this.nextDirectoryAt) void this.refreshDirectory();
    if (this.line === null && this.directory.queues.size > 0 && now >= this.nextLineAt) this.openLine();
    if (this.spare === null && now >= this.replaceAt) this.openSpare();
    if (now >= this.settleAt) this.settleAudit();
    if (!this.reader.isBusy && now >= this.readDueAt) void this.readSnapshot();
  }

  private get readDueAt(): number {
    const { pollMs, auditMs, auditQuietMs, doubtMs } = this.options.times;
    if (!this.isSubscribed && !this.isPolling) return NEVER;
    if (this.floor.needsSnapshot) return this.retryAt;
    if (this.settleAt !== NEVER) return NEVER;
    if (!this.isSubscribed || this.isBehind) return Math.max(this.retryAt, this.readAt + pollMs);
    if (this.floor.hasDoubt) return Math.max(this.retryAt, this.readAt + doubtMs);
    const quietAt = Math.max(this.updatedAt, this.readAt) + auditQuietMs;
    return Math.max(this.retryAt, Math.min(this.readAt + auditMs, quietAt));
  }

  private async refreshDirectory(): Promise<void> {
    this.nextDirectoryAt = this.now + this.options.times.directoryMs;
    try {
      const added = await this.directory.refresh();
      this.directoryFailed = false;
      if (added !== null && added.length > 0 && this.isSubscribed) {
        this.line?.send({ action: "subscribe", topics: added });
      }
      this.options.onChange();
      this.tick();
    } catch (error) {
      this.nextDirectoryAt = this.now + this.readBackoff.next();
      this.directoryFailed = true;
      this.fail(error);
    }
  }

  private openLine(): void {
    this.line = this.dial((wasSubscribed) => this.lineDied(wasSubscribed));
  }

  /** Make before break: the old line is let go when the new one has subscribed. */
  private openSpare(): void {
    const spare = this.dial((wasSubscribed) => {
      if (this.line === spare) {
        this.lineDied(wasSubscribed);
      } else {
        this.spare = null;
        this.replaceAt = this.now + 60_000;
      }
    });
    this.spare = spare;
  }

  private dial(onDead: (wasSubscribed: boolean) => void): Line {
    const { timers, times } = this.options;
    const since = this.resume.since(this.now);
    const hello = {
      action: "subscribe",
      topics: this.directory.topics,
      ...(since !== null && { since }),
    } as const;
    const line: Line = new Line(this.options.openSocket(), hello, times, timers, {
      onDead,
      onFrame: (frame) => {
        if (frame.type === "subscribed" && line === this.spare) this.swapLines(line);
        this.hear(frame);
      },
    });
    return line;
  }

  private swapLines(spare: Line): void {
    this.line?.close();
    this.line = spare;
    this.spare = null;
  }

  private lineDied(wasSubscribed: boolean): void {
    this.spare?.close();
    this.line = this.spare = null;
    this.isSubscribed = this.isBehind = false;
    this.settleAt = this.replaceAt = NEVER;
    if (!wasSubscribed) this.refusals++;
    this.nextLineAt = this.now + this.lineBackoff.next();
    this.options.onChange();
  }

  private hear(frame: ServerFrame): void {
    if (frame.type === "subscribed") this.hearSubscribed(frame);
    else if (frame.type === "update") this.hearUpdate(frame);
    else if (frame.type === "reset") this.hearGap(frame.position);
    else if (frame.type === "error") this.hearError(frame.problem.status, frame.problem.title);
    this.options.onChange();
  }

  private hearSubscribed(frame: SubscribedFrame): void {
    this.isSubscribed = this.wasSubscribed = true;
    this.refusals = 0;
    this.lineBackoff.reset();
    this.resume.saw(frame.position, this.now);
    this.replaceAt = this.now + this.options.times.replaceAfterMs;
    this.updatedAt = this.now;
    if (!frame.replayed) this.hearGap(frame.position);
    else this.prove();
    this.readFailed = false;
  }

  private hearUpdate(frame: UpdateFrame): void {
    this.floor.applyUpdate(frame);
    this.directory.putAgents(frame.agents ?? []);
    this.resume.saw(frame.position, this.now);
    this.updatedAt = this.now;
    if (this.isSubscribed) this.prove(); // Else it is part of a replay, whose end `subscribed` tells.
    this.options.onUpdate(frame.calls, frame.events ?? []);
  }

  /** Something was missed: only a snapshot that begins after this moment heals it. */
  private hearGap(position: number): void {
    this.floor.markGap();
    this.resume.saw(position, this.now);
    this.settleAt = NEVER;
    this.tick();
  }

  private hearError(status: number, title: string): void {
    if (status === 401) this.endSession("session_ended");
    else this.trouble = title;
  }

  private async readSnapshot(): Promise<void> {
    const isAudit = this.isSubscribed && !this.floor.needsSnapshot;
    const line = this.line;
    try {
      await this.reader.read();
      this.readAt = this.now;
      this.readFailed = false;
      this.trouble = null;
      this.readBackoff.reset();
      this.prove();
      if (isAudit && line === this.line) this.settleAt = this.now + this.options.times.settleMs;
      this.options.onChange();
    } catch (error) {
      this.retryAt = this.now + this.readBackoff.next();
      this.readFailed = true;
      this.fail(error);
    }
  }

  /** What the audit found and the feed has still not told means that the feed lags: say so, and read instead. */
  private settleAudit(): void {
    this.settleAt = NEVER;
    this.isBehind = this.floor.untoldCount > 0;
    this.options.onChange();
  }

  private prove(): void {
    if (!this.floor.needsSnapshot) this.provenAt = this.now;
  }

  private fail(error: unknown): void {
    if (this.halt !== null) return;
    const halt = error instanceof ApiError ? error.halt : null;
    if (halt !== null) {
      this.endSession(halt);
      return;
    }
    this.trouble = error instanceof Error ? error.message : String(error);
    this.options.onChange();
  }
}
