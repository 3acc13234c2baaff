/** What the page shows, as signals: joins the feed, the server's clock and the address. */

import { batch, computed, effect, signal } from "@preact/signals";
import { formatAddress, type Query, Router, type View } from "../address";
import type { ServerClock } from "../clock";
import type { Config } from "../config";
import type { Call, UpdateFrame } from "../contracts";
import { Api, type Halt } from "../feed/api";
import type { Connection } from "../feed/connection";
import { Feed } from "../feed/feed";
import { systemTimers } from "../feed/timers";
import { DEFAULT_TIMES } from "../feed/times";
import { Attempts } from "../floor/attempts";
import { boardOf } from "../floor/board";
import { figuresOf } from "../floor/figures";
import { type Filters, formatFilters, NO_FILTERS, parseFilters, selectCalls } from "../floor/filters";
import { freeAgents } from "../floor/free";
import { entriesOf } from "../floor/groups";
import { setUpOf } from "../floor/steps";
import { Reading } from "../reading";
import { type Claims, claimsOf } from "../session";
import { AlertDesk } from "./alerts/desk";
import { CallHistory } from "./call/history";

/** Changes that come together are drawn together, more often than an eye can follow and no more than a laptop can bear. */
const DRAW_AFTER_MS = 40;

interface FeedPicture {
  connection: Connection;
  halt: Halt | null;
  trouble: string | null;
  provenAt: number | null;
  isComplete: boolean;
}

export class Store {
  readonly clock: ServerClock;
  readonly now = signal(0);
  /** The moment that the counters show: with nobody to say that a call still waits, they stand still at the picture. */
  readonly shownNow = computed(() => {
    const { connection, provenAt } = this.picture.value;
    return connection === "offline" && provenAt !== null ? provenAt + this.clock.offsetMs : this.now.value;
  });
  readonly revision = signal(0);
  readonly picture = signal<FeedPicture>({
    connection: "connecting",
    halt: null,
    trouble: null,
    provenAt: null,
    isComplete: false,
  });
  readonly router = new Router();
  readonly filters = computed<Filters>(() => parseFilters(this.router.query.value));
  readonly openId = computed(() => this.router.get("call"));
  readonly cursorId = signal<string | null>(null);
  readonly history = signal<CallHistory | null>(null);
  /** Steps when a history has told who missed a call. */
  readonly attemptsRead = signal(0);
  readonly attempts = new Attempts(
    (callId) => this.api.callEvents(callId),
    () => this.attemptsRead.value++,
  );
  readonly feed: Feed;
  readonly desk: AlertDesk;
  readonly api: Api;
  /** What the token says of its bearer; the API decides. */
  readonly claims: Claims;
  /** The page has shown the first steps: it goes on with the rest of them until the first call. */
  readonly startedEmpty = signal(false);
  private drawTimer: ReturnType<typeof setTimeout> | undefined;
  private tickTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly undo: (() => void)[] = [];

  constructor(
    readonly config: Config,
    token: string,
    clock: ServerClock,
  ) {
    this.clock = clock;
    this.now.value = clock.now();
    this.claims = claimsOf(token);
    this.api = new Api({
      base: config.api,
      token,
      fetch: (input, init) => fetch(input, init),
      localNow: Date.now,
      onDate: (date, sentAt, receivedAt) => clock.sample(date, sentAt, receivedAt),
    });
    const socketAddress = new URL(config.websocket);
    socketAddress.searchParams.set("token", token);
    this.feed = new Feed({
      api: this.api,
      openSocket: () => new WebSocket(socketAddress),
      timers: systemTimers,
      random: Math.random,
      times: DEFAULT_TIMES,
      onChange: () => this.drawSoon(),
      onUpdate: (frame) => this.hearUpdate(frame),
    });
    this.desk = new AlertDesk(this.feed);
  }

  readonly calls = computed<Call[]>(() => {
    this.revision.value;
    return selectCalls(
      this.feed.floor.live.values(),
      this.filters.value,
      this.feed.directory,
      this.shownNow.value,
    );
  });

  readonly entries = computed(() =>
    entriesOf(this.calls.value, this.filters.value.group, this.feed.directory.queues, this.shownNow.value),
  );

  /** Who could take a call, as far as the directory knows. */
  readonly free = computed(() => {
    this.revision.value;
    return freeAgents(this.feed.directory.agents.values());
  });

  readonly languages = computed(() => {
    this.revision.value;
    const { queues, agents } = this.feed.directory;
    const told = [...queues.values()].flatMap(({ language }) => language ?? []);
    const spoken = [...agents.values()].flatMap(({ languages }) => languages);
    return [...new Set([...told, ...spoken])].sort();
  });

  /** True once the queues have been read and there are none for this token. */
  readonly hasNoQueues = computed(() => {
    this.revision.value;
    return this.feed.hasNoQueues;
  });

  readonly setUp = computed(() => {
    this.revision.value;
    return setUpOf(this.claims, this.config.api, this.feed.directory.queues);
  });

  readonly board = computed(() => {
    this.revision.value;
    return boardOf(this.feed.floor.live.values(), this.feed.directory, this.shownNow.value);
  });

  readonly figures = computed(() => {
    this.revision.value;
    const { floor, directory } = this.feed;
    return figuresOf(floor.live.values(), directory.queues, this.filters.value.queue, this.shownNow.value);
  });

  start(): void {
    this.feed.start();
    this.tick();
    const nudge = () => document.visibilityState === "visible" && this.feed.nudge();
    addEventListener("online", nudge);
    document.addEventListener("visibilitychange", nudge);
    this.undo.push(
      () => removeEventListener("online", nudge),
      () => document.removeEventListener("visibilitychange", nudge),
      this.router.listen(),
      effect(() => this.keepHistory()),
    );
  }

  stop(): void {
    this.feed.stop();
    clearTimeout(this.drawTimer);
    clearTimeout(this.tickTimer);
    this.history.value?.close();
    for (const run of this.undo) run();
  }

  setFilters(change: Partial<Filters>, options?: { keepsHistory: boolean }): void {
    this.router.patch(formatFilters({ ...this.filters.value, ...change }), options);
  }

  clearFilters(): void {
    const { sort, group } = this.filters.value;
    this.setFilters({ ...NO_FILTERS, sort, group });
  }

  open(callId: string | null): void {
    if (callId === this.openId.value) return;
    if (callId !== null) this.cursorId.value = callId;
    this.router.patch({ call: callId }, { keepsHistory: false });
  }

  /** The address of another view; an open call stays where it was. */
  addressOf(view: View, query: Query = {}): string {
    return formatAddress(view, query);
  }

  /** Something that a view reads by itself. Whoever asks closes it. */
  reading<T>(path: string, everyMs: number | null): Reading<T> {
    return new Reading<T>({
      read: (signal) => this.api.get<T>(path, signal),
      everyMs,
      onHalt: (halt) => this.feed.endSession(halt),
    });
  }

  /** Keeps the one history that belongs to the open call. */
  private keepHistory(): void {
    const callId = this.openId.value;
    const known = this.history.peek();
    if (known?.callId === callId) return;
    known?.close();
    const shown = callId === null ? null : (this.feed.floor.live.get(callId) ?? null);
    this.history.value = callId === null ? null : new CallHistory(callId, this.api, shown);
  }

  private hearUpdate(frame: UpdateFrame): void {
    this.attempts.hear(frame.events ?? []);
    this.desk.hear(frame);
    this.history.value?.hear(frame.calls, frame.events ?? []);
  }

  private drawSoon(): void {
    this.drawTimer ??= setTimeout(() => this.draw(), DRAW_AFTER_MS);
  }

  private draw(): void {
    this.drawTimer = undefined;
    const { floor, directory, connection, halt, trouble, provenAt } = this.feed;
    batch(() => {
      this.revision.value = floor.revision + directory.revision;
      this.picture.value = { connection, halt, trouble, provenAt, isComplete: !floor.needsSnapshot };
    });
    this.followOpenCall();
  }

  /** Reads teach the floor as well as frames do, and the open call has to follow either. */
  private followOpenCall(): void {
    const history = this.history.peek();
    if (history === null || this.feed.floor.needsSnapshot) return;
    const shown = this.feed.floor.live.get(history.callId);
    if (shown !== undefined) history.put(shown);
    else if (history.call.peek()?.status !== "ended" && history.state.peek() === "ready")
      history.rereadSoon();
  }

  /** All counters step together, on the server's full second. */
  private tick(): void {
    const now = this.clock.now();
    const second = Math.round(now / 1_000) * 1_000;
    this.now.value = Math.abs(now - second) < 60 ? second : now;
    this.desk.look(this.shownNow.value);
    if (!this.feed.floor.needsSnapshot) this.attempts.keepOnly(this.feed.floor.live);
    const { expiresAt } = this.claims;
    if (expiresAt !== null && now >= expiresAt) this.feed.endSession("session_ended");
    else this.tickTimer = setTimeout(() => this.tick(), 1_000 - (now % 1_000) + 5);
  }
}
