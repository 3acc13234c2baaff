/** One socket: subscribes, sends pings, and reports when it is closed or silent. */

import type { ClientFrame, ServerFrame } from "../contracts";
import type { Timers } from "./timers";

/** The part of WebSocket that is used. */
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
  /** The silence after which a ping is sent. */
  quietMs: number;
  /** How long the answer to that ping may take. */
  answerWithinMs: number;
  /** The interval of pings. API Gateway closes a connection on which the client is silent for 10 min. */
  keepAliveMs: number;
}

export interface SocketHandlers {
  onFrame: (frame: ServerFrame) => void;
  /** Called once, when the socket is closed or silent. */
  onClosed: (wasSubscribed: boolean) => void;
}

const OPEN = 1;

export class FeedSocket {
  private socket: Socket | null;
  private subscribed = false;
  /** A subscription was requested and not answered yet. */
  private isAwaiting = false;
  private receivedAt: number;
  private pingedAt: number;
  private stopWatch: () => void;

  constructor(
    socket: Socket,
    private readonly firstFrame: ClientFrame,
    private readonly times: SocketTimes,
    private readonly timers: Timers,
    private readonly handlers: SocketHandlers,
  ) {
    this.socket = socket;
    this.receivedAt = this.pingedAt = timers.now();
    socket.onopen = () => this.send(this.firstFrame);
    socket.onmessage = (event: { data: unknown }) => this.receive(event.data);
    socket.onclose = () => this.fail();
    socket.onerror = () => this.fail();
    this.stopWatch = timers.after(times.openWithinMs, () => {
      if (!this.subscribed) this.fail();
    });
  }

  send(frame: ClientFrame): void {
    if (this.socket?.readyState !== OPEN) return;
    if (frame.action === "subscribe") this.isAwaiting = true;
    this.socket.send(JSON.stringify(frame));
  }

  /** Closes the socket without calling the handlers. */
  close(): void {
    const socket = this.socket;
    if (socket === null) return;
    this.socket = null;
    this.stopWatch();
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.onerror = () => {}; // Some browsers report an error when an opening socket is closed.
    socket.close(1000);
  }

  private receive(data: unknown): void {
    const frame = parseFrame(data);
    if (frame === null) {
      this.fail(); // An unreadable frame may be an update. A new socket resumes before it.
      return;
    }
    this.receivedAt = this.timers.now();
    const isRefused = frame.type === "error" && this.isAwaiting;
    if (frame.type === "subscribed") this.subscribe();
    this.handlers.onFrame(frame);
    if (isRefused) this.fail(); // A new socket subscribes again.
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
      if (asked && now - this.pingedAt >= answerWithinMs) this.fail();
      else if ((!asked && quiet >= quietMs) || now - this.pingedAt >= keepAliveMs) this.ping(now);
    });
  }

  private ping(now: number): void {
    this.pingedAt = now;
    this.send({ action: "ping" });
  }

  private fail(): void {
    if (this.socket === null) return;
    this.close();
    this.handlers.onClosed(this.subscribed);
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
