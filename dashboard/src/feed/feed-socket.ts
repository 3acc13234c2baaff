/** One socket: opens, subscribes, keeps itself alive, and says when it is dead. */

import type { ClientFrame, ServerFrame } from "../contracts";
import type { Timers } from "./timers";

/** The part of WebSocket that is used, so that tests can bring their own. */
export interface Socket {
  readonly readyState: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
}

export interface SocketTimes {
  /** From the attempt to the first `subscribed`. */
  openWithinMs: number;
  /** Silence after which a ping asks whether anyone is there. */
  quietMs: number;
  /** How long an answer to that ping may take. */
  answerWithinMs: number;
  /** A ping however busy the line, because API Gateway closes a connection on which a client is silent for 10 min. */
  keepAliveMs: number;
}

export interface SocketHandlers {
  onFrame: (frame: ServerFrame) => void;
  /** Once, when the line is dead for whatever reason. */
  onDead: (wasSubscribed: boolean) => void;
}

const OPEN = 1;

export class FeedSocket {
  private socket: Socket | null;
  private subscribed = false;
  /** A subscription was asked for, and neither made nor refused so far. */
  private isAwaiting = false;
  private receivedAt: number;
  private pingedAt: number;
  private stopWatch: () => void;

  constructor(
    socket: Socket,
    private readonly hello: ClientFrame,
    private readonly times: SocketTimes,
    private readonly timers: Timers,
    private readonly handlers: SocketHandlers,
  ) {
    this.socket = socket;
    this.receivedAt = this.pingedAt = timers.now();
    socket.onopen = () => this.send(this.hello);
    socket.onmessage = (event: { data: unknown }) => this.receive(event.data);
    socket.onclose = () => this.die();
    socket.onerror = () => this.die();
    this.stopWatch = timers.after(times.openWithinMs, () => {
      if (!this.subscribed) this.die();
    });
  }

  send(frame: ClientFrame): void {
    if (this.socket?.readyState !== OPEN) return;
    if (frame.action === "subscribe") this.isAwaiting = true;
    this.socket.send(JSON.stringify(frame));
  }

  /** Lets go without a word to the handlers. */
  close(): void {
    const socket = this.socket;
    if (socket === null) return;
    this.socket = null;
    this.stopWatch();
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.onerror = () => {}; // Closing what is still opening is an error to some.
    socket.close(1000);
  }

  private receive(data: unknown): void {
    const frame = parseFrame(data);
    if (frame === null) {
      this.die(); // What we cannot read may have been an update: a fresh line resumes before it.
      return;
    }
    this.receivedAt = this.timers.now();
    const isRefused = frame.type === "error" && this.isAwaiting;
    if (frame.type === "subscribed") this.subscribe();
    this.handlers.onFrame(frame);
    if (isRefused) this.die(); // Nothing would ever come for what was asked: a fresh line asks again.
  }

  private subscribe(): void {
    this.isAwaiting = false;
    if (!this.subscribed) this.watch();
    this.subscribed = true;
  }

  private watch(): void {
    this.stopWatch();
    const { quietMs, answerWithinMs, keepAliveMs } = this.times;
    this.stopWatch = this.timers.every(Math.min(quietMs, answerWithinMs) / 4, () => {
      const now = this.timers.now();
      const quiet = now - this.receivedAt;
      const asked = this.pingedAt > this.receivedAt;
      if (asked && now - this.pingedAt >= answerWithinMs) this.die();
      else if ((!asked && quiet >= quietMs) || now - this.pingedAt >= keepAliveMs) this.ping(now);
    });
  }

  private ping(now: number): void {
    this.pingedAt = now;
    this.send({ action: "ping" });
  }

  private die(): void {
    if (this.socket === null) return;
    this.close();
    this.handlers.onDead(this.subscribed);
  }
}

function parseFrame(data: unknown): ServerFrame | null {
  if (typeof data !== "string") return null;
  try {
    const frame = JSON.parse(data) as ServerFrame;
    return typeof frame?.type === "string" ? frame : null;
  } catch {
    return null;
  }
}
