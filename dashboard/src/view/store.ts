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
import { type Filters, formatFilters, NO_FILTERS, parseFilters, selectCalls } from "../model/filters";
import { planFirstSteps } from "../model/first-steps";
import { findFreeAgents } from "../model/free-agents";
import { entriesOf } from "../model/groups";
import { summarizeLanguages } from "../model/language-summary";
import { MissedOffers } from "../model/missed-offers";
import { summarize } from "../model/summary";
import { Resource } from "../resource";
import { type Claims, claimsOf } from "../session";
import { AlertStore } from "./alerts/alert-store";
import { CallHistory } from "./call/call-history";

/** Changes that come together are drawn together, more often than an eye can follow and no more than a laptop can bear. */
const DRAW_AFTER_MS = 40;

interface FeedPicture {
  connection: Connection;
  halt: Halt | null;
  errorMessage: string | null;
  confirmedAt: number | null;
  isComplete: boolean;
}

export class Store {
  readonly clock: ServerClock;
  readonly now = signal(0);
  /** The moment that the counters show: with nobody to say that a call still waits, they stand still at the picture. */
  readonly shownNow = computed(() => {
    const { connection, confirmedAt } = this.picture.value;
    return connection === "offline" && confirmedAt !== null
      ? confirmedAt + this.clock.offsetMs
      : this.now.value;
  });
  readonly revision = signal(0);
  readonly picture = signal<FeedPicture>({
    connection: "connecting",
    halt: null,
    errorMessage: null,
    confirmedAt: null,
    isComplete: false,
  });
  readonly router = new Router();
  readonly filters = computed<Filters>(() => parseFilters(this.router.query.value));
  readonly openId = computed(() => this.router.get("call"));
  readonly cursorId = signal<string | null>(null);
  readonly history = signal<CallHistory | null>(null);
  /** Steps when a history has told who missed a call. */
  readonly missedOffersRead = signal(0);
  readonly attempts = new MissedOffers(
    (callId) => this.api.callEvents(callId),
    () => this.missedOffersRead.value++,
  );
  readonly feed: Feed;
  readonly desk: AlertStore;
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
      onUpdate: (frame) => this.receiveUpdate(frame),
    });
    this.desk = new AlertStore(this.feed);
  }

  readonly calls = computed<Call[]>(() => {
    this.revision.value;
    return selectCalls(
      this.feed.calls.live.values(),
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
    return findFreeAgents(this.feed.directory.agents.values());
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

  readonly firstStepsPlan = computed(() => {
    this.revision.value;
    return planFirstSteps(this.claims, this.config.api, this.feed.directory.queues);
  });

  readonly board = computed(() => {
    this.revision.value;
    return summarizeLanguages(this.feed.calls.live.values(), this.feed.directory, this.shownNow.value);
  });

  readonly figures = computed(() => {
    this.revision.value;
    const { calls, directory } = this.feed;
    return summarize(calls.live.values(), directory.queues, this.filters.value.queue, this.shownNow.value);
  });

  start(): void {
    this.feed.start();
    this.tick();
    const retryNow = () => document.visibilityState === "visible" && this.feed.retryNow();
    addEventListener("online", retryNow);
    document.addEventListener("visibilitychange", retryNow);
    this.undo.push(
      () => removeEventListener("online", retryNow),
      () => document.removeEventListener("visibilitychange", retryNow),
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
  reading<T>(path: string, everyMs: number | null): Resource<T> {
    return new Resource<T>({
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
    const shown = callId === null ? null : (this.feed.calls.live.get(callId) ?? null);
    this.history.value = callId === null ? null : new CallHistory(callId, this.api, shown);
  }

  private receiveUpdate(frame: UpdateFrame): void {
    this.attempts.receive(frame.events ?? []);
    this.desk.receive(frame);
    this.history.value?.receive(frame.calls, frame.events ?? []);
  }

  private drawSoon(): void {
    this.drawTimer ??= setTimeout(() => this.draw(), DRAW_AFTER_MS);
  }

  private draw(): void {
    this.drawTimer = undefined;
    const { calls, directory, connection, halt, errorMessage, confirmedAt } = this.feed;
    batch(() => {
      this.revision.value = calls.revision + directory.revision;
      this.picture.value = { connection, halt, errorMessage, confirmedAt, isComplete: !calls.needsSnapshot };
    });
    this.followOpenCall();
  }

  /** Reads teach the floor as well as frames do, and the open call has to follow either. */
  private followOpenCall(): void {
    const history = this.history.peek();
    if (history === null || this.feed.calls.needsSnapshot) return;
    const shown = this.feed.calls.live.get(history.callId);
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
    if (!this.feed.calls.needsSnapshot) this.attempts.keepOnly(this.feed.calls.live);
    const { expiresAt } = this.claims;
    if (expiresAt !== null && now >= expiresAt) this.feed.endSession("session_ended");
    else this.tickTimer = setTimeout(() => this.tick(), 1_000 - (now % 1_000) + 5);
  }
}
