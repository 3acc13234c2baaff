/** The API and the socket of a simulated call centre, with faults. For development and tests only. */

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import type { Changes, ClientFrame, ServerFrame } from "../../src/contracts";
import type { Change, World } from "./world";

export interface Faults {
  refuseSockets: boolean;
  /** The status that every read answers, or null. */
  readStatus: number | null;
  /** Updates are lost though the socket stays up: a relay that died. */
  muteRelay: boolean;
  /** True if a resumed connection gets what it missed; else it gets `reset`. */
  canReplay: boolean;
  /** Whether `reset` precedes the `subscribed` that says so. */
  announcesGap: boolean;
  readDelayMs: number;
  /** The status with which subscriptions are refused, or null. */
  subscribeStatus: number | null;
  /** How far the server's clock is ahead of ours. */
  clockAheadMs: number;
}

const NO_FAULTS: Faults = {
  refuseSockets: false,
  readStatus: null,
  muteRelay: false,
  canReplay: true,
  announcesGap: true,
  readDelayMs: 0,
  subscribeStatus: null,
  clockAheadMs: 0,
};

export class FakeServer {
  readonly faults: Faults = { ...NO_FAULTS };
  readonly heard: ClientFrame[] = [];
  reads = 0;
  polls = 0;
  /** How often a reader held already what it asked for. */
  unchanged = 0;
  mutePongs = false;
  private readonly sockets = new Set<WebSocket>();
  private readonly http = createServer((request, response) => void this.answer(request, response));
  private readonly wss = new WebSocketServer({ noServer: true });

  constructor(
    readonly world: World,
    private readonly pageLimit = 500,
  ) {
    world.listener = (change) => this.relay(change);
    this.http.on("upgrade", (request, socket, head) => {
      if (this.faults.refuseSockets) return socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
      this.wss.handleUpgrade(request, socket, head, (opened) => this.welcome(opened));
    });
  }

  async listen(port = 0): Promise<this> {
    await new Promise<void>((ready) => this.http.listen(port, "127.0.0.1", ready));
    return this;
  }

  async close(): Promise<void> {
    this.cut();
    this.http.closeAllConnections();
    await new Promise((done) => this.http.close(done));
  }

  get address(): string {
    return `127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  get socketCount(): number {
    return this.sockets.size;
  }

  /** Ends every socket without a goodbye. */
  cut(): void {
    for (const socket of this.sockets) socket.terminate();
  }

  send(frame: ServerFrame): void {
    for (const socket of this.sockets) socket.send(JSON.stringify(frame));
  }

  private relay({ call, events, agents, position }: Change): void {
    if (!this.faults.muteRelay)
      this.send({
        type: "update",
        position,
        calls: [call],
        events,
        agents,
        alerts: [],
        left: [],
        eventsOmitted: 0,
        traces: [],
      });
  }

  private welcome(socket: WebSocket): void {
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    socket.on("message", (data) => {
      const frame = JSON.parse(String(data)) as ClientFrame;
      this.heard.push(frame);
      if (frame.action === "ping" && !this.mutePongs) socket.send(JSON.stringify({ type: "pong" }));
      if (frame.action === "subscribe") this.subscribe(socket, frame.topics, frame.since ?? undefined);
    });
  }

  /** As the real one: what was missed comes first, with the position asked for, and `subscribed` ends it. */
  subscribe(socket: Pick<WebSocket, "send">, topics: string[], since: number | undefined): void {
    const { world } = this;
    const { position } = world;
    const replayed = since !== undefined && this.faults.canReplay;
    const send = (frame: ServerFrame) => socket.send(JSON.stringify(frame));
    const status = this.faults.subscribeStatus;
    if (status !== null) {
      const problem = { type: "about:blank", title: `Refused ${status}`, status, detail: "", errors: [] };
      send({ type: "error", problem });
      return;
    }
    if (since !== undefined && !replayed && this.faults.announcesGap)
      send({ type: "reset", topics, position });
    if (replayed) {
      const calls = [...world.calls.values()].filter(({ id }) => (world.changedAt.get(id) ?? 0) > since);
      const events = [...world.events.values()].flat().filter((event) => event.recordId > since);
      send({
        type: "update",
        position: since,
        calls,
        events,
        agents: [],
        alerts: [],
        left: [],
        eventsOmitted: 0,
        traces: [],
      });
    }
    send({ type: "subscribed", topics, position, replayed });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Allow-Headers", "authorization,content-type,if-none-match");
    response.setHeader("Access-Control-Expose-Headers", "date,etag");
    response.setHeader("Date", new Date(this.world.now() + this.faults.clockAheadMs).toUTCString());
    response.setHeader("Cache-Control", "no-store");
    if (request.method === "OPTIONS") return void response.writeHead(204).end();
    if (request.url === "/faults") return this.takeFaults(request, response);
    this.reads++;
    if (this.faults.readDelayMs > 0) await new Promise((done) => setTimeout(done, this.faults.readDelayMs));
    const status = this.faults.readStatus ?? (request.headers.authorization ? 200 : 401);
    const body = status === 200 ? this.read(request.url ?? "/") : null;
    if (body !== null) return this.sendTagged(request, response, body);
    const code = status === 200 ? 404 : status;
    sendJson(response, code, { type: "about:blank", title: `Answered ${code}`, status: code });
  }

  private sendTagged(request: IncomingMessage, response: ServerResponse, body: unknown): void {
    const tag = `W/"${createHash("sha256").update(JSON.stringify(body)).digest("hex")}"`;
    response.setHeader("ETag", tag);
    if (request.headers["if-none-match"] === tag) {
      this.unchanged++;
      response.writeHead(304).end();
    } else {
      sendJson(response, 200, body);
    }
  }

  /** Tests in a browser order faults over HTTP. */
  private takeFaults(request: IncomingMessage, response: ServerResponse): void {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      const { cut, ...faults } = JSON.parse(body) as Partial<Faults> & { cut?: boolean };
      Object.assign(this.faults, faults);
      if (cut === true) this.cut();
      sendJson(response, 200, this.faults);
    });
  }

  read(address: string): unknown {
    const { pathname, searchParams } = new URL(address, "http://fake");
    const { world } = this;
    if (pathname === "/api/queues") return { data: world.queues };
    if (pathname === "/api/agents") return { data: world.agents };
    const since = searchParams.get("since");
    if (pathname === "/api/calls" && since !== null) return this.readChanges(Number(since));
    if (pathname === "/api/calls") return this.readCalls(searchParams.get("cursor"));
    const [, id, rest] = /^\/api\/calls\/([^/]+)(\/events)?$/.exec(pathname) ?? [];
    if (id === undefined) return null;
    if (rest === undefined) return world.calls.get(decodeURIComponent(id)) ?? null;
    return { data: world.events.get(decodeURIComponent(id)) ?? [], nextCursor: null };
  }

  private readChanges(since: number): Changes {
    this.polls++;
    const { position, calls, changedAt } = this.world;
    const changed = [...calls.values()].filter(({ id }) => (changedAt.get(id) ?? 0) > since);
    const reset = !this.faults.canReplay;
    return { position, reset, calls: reset ? [] : changed, left: [], agents: [] };
  }

  private readCalls(cursor: string | null): unknown {
    const key = (call: { startTime: string; id: string }) => `${call.startTime} ${call.id}`;
    const sorted = this.world.live.sort((a, b) => (key(a) < key(b) ? 1 : -1));
    const rest = cursor === null ? sorted : sorted.filter((call) => key(call) < cursor);
    const data = rest.slice(0, this.pageLimit);
    const last = data.at(-1);
    const nextCursor = rest.length > data.length && last !== undefined ? key(last) : null;
    return { data, nextCursor, position: this.world.position };
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const type = status >= 400 ? "application/problem+json" : "application/json";
  response.writeHead(status, { "content-type": type });
  response.end(JSON.stringify(body));
}
