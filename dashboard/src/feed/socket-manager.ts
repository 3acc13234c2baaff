/** Keeps a line to the feed: opens it, opens it again with backoff, and replaces it before API Gateway cuts it. */

import type { ClientFrame, ServerFrame } from "../contracts";
import { Backoff } from "./backoff";
import { FeedSocket, type Socket } from "./feed-socket";
import type { Timers } from "./timers";
import type { FeedTimes } from "./times";

export interface SocketManagerOptions {
  openSocket: () => Socket;
  /** What a new line says first. */
  hello: () => ClientFrame;
  timers: Timers;
  times: FeedTimes;
  random: () => number;
  onFrame: (frame: ServerFrame) => void;
  /** There is no line any more. */
  onLost: () => void;
}

const NEVER = Number.POSITIVE_INFINITY;
const RETRY_REPLACEMENT_MS = 60_000;

export class SocketManager {
  /** MissedOffers since the last line that was let in. */
  refusals = 0;
  private readonly backoff: Backoff;
  private line: FeedSocket | null = null;
  private spare: FeedSocket | null = null;
  private openAt = 0;
  private replaceAt = NEVER;

  constructor(private readonly options: SocketManagerOptions) {
    this.backoff = new Backoff(500, 30_000, options.random);
  }

  /** Identifies the present line: what was learned on one says nothing of the next. */
  get current(): object | null {
    return this.line;
  }

  tick(): void {
    const now = this.options.timers.now();
    if (this.line === null && now >= this.openAt) this.open();
    if (this.spare === null && now >= this.replaceAt) this.openSpare();
  }

  openSoon(): void {
    this.openAt = 0;
  }

  send(frame: ClientFrame): void {
    this.line?.send(frame);
  }

  close(): void {
    this.line?.close();
    this.spare?.close();
    this.line = this.spare = null;
  }

  private open(): void {
    this.line = this.dial((wasSubscribed) => this.lost(wasSubscribed));
  }

  /** Make before break: the old line is let go when the new one has subscribed. */
  private openSpare(): void {
    const spare = this.dial((wasSubscribed) => {
      if (this.line === spare) {
        this.lost(wasSubscribed);
      } else {
        this.spare = null;
        this.replaceAt = this.options.timers.now() + RETRY_REPLACEMENT_MS;
      }
    });
    this.spare = spare;
  }

  private dial(onDead: (wasSubscribed: boolean) => void): FeedSocket {
    const { openSocket, hello, times, timers, onFrame } = this.options;
    const line: FeedSocket = new FeedSocket(openSocket(), hello(), times, timers, {
      onDead,
      onFrame: (frame) => {
        if (frame.type === "subscribed") this.letIn(line);
        onFrame(frame);
      },
    });
    return line;
  }

  private letIn(line: FeedSocket): void {
    this.refusals = 0;
    this.backoff.reset();
    if (line === this.spare) {
      this.line?.close();
      this.line = line;
      this.spare = null;
    } else if (this.replaceAt !== NEVER) {
      return; // A subscription to further topics on the line that stands.
    }
    this.replaceAt = this.options.timers.now() + this.options.times.replaceAfterMs;
  }

  private lost(wasSubscribed: boolean): void {
    this.close();
    if (!wasSubscribed) this.refusals++;
    this.replaceAt = NEVER;
    this.openAt = this.options.timers.now() + this.backoff.next();
    this.options.onLost();
  }
}
