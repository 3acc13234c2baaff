/** Keeps a socket open: reopens it with backoff, and replaces it before API Gateway closes it. */

import type { ClientFrame, ServerFrame } from "../contracts";
import { Backoff } from "./backoff";
import { FeedSocket, type Socket } from "./feed-socket";
import type { Timers } from "./timers";
import type { FeedTimes } from "./times";

export interface SocketManagerOptions {
  openSocket: () => Socket;
  /** The first frame of a new socket. */
  firstFrame: () => ClientFrame;
  timers: Timers;
  times: FeedTimes;
  random: () => number;
  onFrame: (frame: ServerFrame) => void;
  /** Called when there is no socket any more. */
  onLost: () => void;
}

const NEVER = Number.POSITIVE_INFINITY;
const RETRY_REPLACEMENT_MS = 60_000;

export class SocketManager {
  /** Failed attempts since the last successful subscription. */
  failedAttempts = 0;
  private readonly backoff: Backoff;
  private socket: FeedSocket | null = null;
  private replacement: FeedSocket | null = null;
  private openAt = 0;
  private replaceAt = NEVER;

  constructor(private readonly options: SocketManagerOptions) {
    this.backoff = new Backoff(500, 30_000, options.random);
  }

  /** Identifies the present socket. */
  get current(): object | null {
    return this.socket;
  }

  tick(): void {
    const now = this.options.timers.now();
    if (this.socket === null && now >= this.openAt) this.open();
    if (this.replacement === null && now >= this.replaceAt) this.openReplacement();
  }

  openSoon(): void {
    this.openAt = 0;
  }

  send(frame: ClientFrame): void {
    this.socket?.send(frame);
  }

  close(): void {
    this.socket?.close();
    this.replacement?.close();
    this.socket = this.replacement = null;
  }

  private open(): void {
    this.socket = this.connect((wasSubscribed) => this.lost(wasSubscribed));
  }

  /** Opens the next socket. The old one is closed when the new one has subscribed. */
  private openReplacement(): void {
    const replacement = this.connect((wasSubscribed) => {
      if (this.socket === replacement) {
        this.lost(wasSubscribed);
      } else {
        this.replacement = null;
        this.replaceAt = this.options.timers.now() + RETRY_REPLACEMENT_MS;
      }
    });
    this.replacement = replacement;
  }

  private connect(onClosed: (wasSubscribed: boolean) => void): FeedSocket {
    const { openSocket, firstFrame, times, timers, onFrame } = this.options;
    const socket: FeedSocket = new FeedSocket(openSocket(), firstFrame(), times, timers, {
      onClosed,
      onFrame: (frame) => {
        if (frame.type === "subscribed") this.accept(socket);
        onFrame(frame);
      },
    });
    return socket;
  }

  private accept(socket: FeedSocket): void {
    this.failedAttempts = 0;
    this.backoff.reset();
    if (socket === this.replacement) {
      this.socket?.close();
      this.socket = socket;
      this.replacement = null;
    } else if (this.replaceAt !== NEVER) {
      return; // A subscription of the present socket to further topics.
    }
    this.replaceAt = this.options.timers.now() + this.options.times.replaceAfterMs;
  }

  private lost(wasSubscribed: boolean): void {
    this.close();
    if (!wasSubscribed) this.failedAttempts++;
    this.replaceAt = NEVER;
    this.openAt = this.options.timers.now() + this.backoff.next();
    this.options.onLost();
  }
}
