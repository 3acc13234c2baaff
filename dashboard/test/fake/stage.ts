/** The client and its server without a network between them, in a time that the test moves on. */

import type { ClientFrame, ServerFrame } from "../../src/contracts";
import { Api } from "../../src/feed/api";
import { Feed } from "../../src/feed/feed";
import type { Socket } from "../../src/feed/feed-socket";
import type { Timers } from "../../src/feed/timers";
import { DEFAULT_TIMES } from "../../src/feed/times";
import { FakeServer } from "./server";
import { World } from "./world";

const OPEN = 1;
const CLOSED = 3;
const HOPS = 40;

interface Due {
  at: number;
  run: () => void;
}

export class FakeClock implements Timers {
  private time = Date.UTC(2026, 0, 1);
  private readonly queue: Due[] = [];

  now(): number {
    return this.time;
  }

  after(delayMs: number, run: () => void): () => void {
    const due = { at: this.time + delayMs, run };
    const later = this.queue.findIndex(({ at }) => at > due.at);
    this.queue.splice(later < 0 ? this.queue.length : later, 0, due);
    return () => this.queue.splice(0, this.queue.length, ...this.queue.filter((other) => other !== due));
  }

  every(intervalMs: number, run: () => void): () => void {
    let stop = () => {};
    const again = () => {
      stop = this.after(intervalMs, again);
      run();
    };
    stop = this.after(intervalMs, again);
    return () => stop();
  }

  async advance(ms: number): Promise<void> {
    const until = this.time + ms;
    await settle();
    for (let next = this.queue[0]; next !== undefined && next.at <= until; next = this.queue[0]) {
      this.queue.shift();
      this.time = next.at;
      next.run();
      await settle();
    }
    this.time = until;
  }
}

/** Lets promises that wait for nothing but each other go on. */
async function settle(): Promise<void> {
  for (let hop = 0; hop < HOPS; hop++) await null;
}

export class Stage {
  readonly clock = new FakeClock();
  readonly world = new World(() => this.clock.now());
  readonly feed: Feed;
  /** No audits: what the protocol itself does not heal stays broken. */
  readonly times = {
    ...DEFAULT_TIMES,
    auditMs: Number.POSITIVE_INFINITY,
    auditQuietMs: Number.POSITIVE_INFINITY,
  };
  refusesSockets = false;
  failsReads = false;
  /** From a request to the moment that its answer tells of, and from there until the answer comes. */
  askMs = 10;
  answerMs = 10;
  openMs = 20;
  /** The longest time that a frame takes. Each of its one or two copies takes a random time. */
  relayMs = 0;
  /** Frames are dropped, until `reset` says so. */
  drops = false;
  readonly server = new FakeServer(this.world, 3);
  private readonly sockets = new Set<FakeSocket>();

  constructor(public draw: () => number = () => 0) {
    this.world.listener = ({ call, events, agents, position }) =>
      this.tell({
        type: "update",
        position: position - Math.floor(this.draw() * 3),
        calls: [call],
        events,
        agents,
        alerts: [],
        left: [],
        eventsOmitted: 0,
        traces: [],
      });
    this.feed = new Feed({
      api: new Api({
        base: "",
        token: "t",
        fetch: this.fetch,
        localNow: () => this.clock.now(),
        onDate: () => {},
      }),
      openSocket: () => new FakeSocket(this),
      timers: this.clock,
      random: () => 0.5,
      times: this.times,
      onChange: () => {},
      onUpdate: () => {},
    });
  }

  /** Versions by call: what the page shows, and what there is. */
  get shown(): Record<string, number> {
    return Object.fromEntries(
      [...this.feed.calls.live.values()].map(({ id, version }) => [id, version]).sort(),
    );
  }

  get truth(): Record<string, number> {
    return Object.fromEntries(this.world.live.map(({ id, version }) => [id, version]).sort());
  }

  async live(): Promise<this> {
    this.feed.start();
    await this.clock.advance(2_000);
    return this;
  }

  cut(): void {
    for (const socket of this.sockets) socket.end();
  }

  /** Frames are lost, but the sockets stay open. */
  stall(): void {
    for (const socket of this.sockets) socket.isStalled = true;
  }

  /** The relay's word that it dropped something. */
  reset(): void {
    this.drops = false;
    this.tell({ type: "reset", topics: [], position: this.world.position });
  }

  opened(socket: FakeSocket): void {
    if (this.refusesSockets) socket.end();
    else socket.open();
  }

  receive(socket: FakeSocket, frame: ClientFrame): void {
    // What a function sends comes in its order; what the relay sends comes as it likes.
    const send = (text: string) => this.clock.after(this.openMs, () => socket.deliver(text));
    if (frame.action === "ping") send(JSON.stringify({ type: "pong" }));
    if (frame.action !== "subscribe") return;
    this.sockets.add(socket);
    this.server.subscribe({ send }, frame.topics, frame.since ?? undefined);
  }

  left(socket: FakeSocket): void {
    this.sockets.delete(socket);
  }

  private tell(frame: ServerFrame): void {
    if (this.drops) return;
    for (const socket of this.sockets) {
      for (let copy = 0; copy <= this.draw(); copy += 0.7) {
        this.clock.after(this.draw() * this.relayMs, () => socket.deliver(JSON.stringify(frame)));
      }
    }
  }

  private readonly fetch = (async (address: string): Promise<unknown> => {
    await this.pass(this.askMs);
    if (this.failsReads) throw new TypeError("fetch failed");
    const body = JSON.stringify(this.server.read(address));
    await this.pass(this.answerMs);
    return { ok: true, status: 200, headers: new Headers(), json: async () => JSON.parse(body) };
  }) as unknown as typeof fetch;

  private pass(ms: number): Promise<void> {
    return new Promise((done) => this.clock.after(ms, done));
  }
}

class FakeSocket implements Socket {
  readyState = 0;
  isStalled = false;
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;

  constructor(private readonly stage: Stage) {
    stage.clock.after(stage.openMs, () => {
      if (this.readyState !== CLOSED) stage.opened(this);
    });
  }

  open(): void {
    this.readyState = OPEN;
    this.onopen?.({} as never);
  }

  send(text: string): void {
    this.stage.clock.after(this.stage.openMs, () => {
      if (this.readyState === OPEN && !this.isStalled)
        this.stage.receive(this, JSON.parse(text) as ClientFrame);
    });
  }

  deliver(text: string): void {
    if (this.readyState === OPEN && !this.isStalled) this.onmessage?.({ data: text } as never);
  }

  /** Whatever is on its way is lost. */
  end(): void {
    this.close();
    this.onclose?.({} as never);
  }

  close(): void {
    this.readyState = CLOSED;
    this.stage.left(this);
  }
}
