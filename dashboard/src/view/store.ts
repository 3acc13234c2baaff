/** The state of a session: the feed, the clock, the address, and what follows from them. Only `views.tsx` reads it. */

import { batch, computed, effect, signal } from "@preact/signals";
import { Router } from "../address";
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
import { dayOf } from "./shell/DayChoice";

/** Changes within this time are drawn together. */
const DRAW_AFTER_MS = 40;

interface FeedStatus {
  connection: Connection;
  halt: Halt | null;
  errorMessage: string | null;
  /** When the calls were last known to be right, by the device's clock. */
  confirmedAt: number | null;
}

export class Store {
  readonly clock: ServerClock;
  /** The server's time. Steps once a second. */
  readonly now = signal(0);
  /** The device's time, at the same steps. */
  readonly localNow = computed(() => {
    this.now.value;
    return Date.now();
  });
  /** The time that counters show. While offline, they stop at the last confirmed time. */
  readonly shownNow = computed(() => {
    const { connection, confirmedAt } = this.feedStatus.value;
    return connection === "offline" && confirmedAt !== null
      ? confirmedAt + this.clock.offsetMs
      : this.now.value;
  });
  readonly revision = signal(0);
  readonly feedStatus = signal<FeedStatus>({
    connection: "connecting",
    halt: null,
    errorMessage: null,
    confirmedAt: null,
  });
  readonly router = new Router();
  readonly filters = computed<Filters>(() => parseFilters(this.router.query.value));
  readonly openId = computed(() => this.router.get("call"));
  readonly cursorId = signal<string | null>(null);
  readonly history = signal<CallHistory | null>(null);
  /** Steps when a history was read for the agents who missed a call. */
  readonly missedOffersRead = signal(0);
  readonly missedOffers = new MissedOffers(
    (callId) => this.api.callEvents(callId),
    () => this.missedOffersRead.value++,
  );
  readonly feed: Feed;
  readonly alerts: AlertStore;
  readonly api: Api;
  /** The token's own claims. The API verifies them. */
  readonly claims: Claims;
  /** The page has shown the first steps. It shows the remaining ones until the first call. */
  readonly startedEmpty = signal(false);
  private drawTimer: ReturnType<typeof setTimeout> | undefined;
  private tickTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly cleanups: (() => void)[] = [];

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
    this.alerts = new AlertStore(this.feed);
  }

  /** Queues and agents by id. */
  readonly directory = computed(() => {
    this.revision.value;
    const { queues, agents, revision } = this.feed.directory;
    return { queues, agents, isKnown: revision > 0 };
  });

  readonly day = computed(() => dayOf(this.router.get("day"), this.now.value));

  readonly calls = computed<Call[]>(() => {
    const { live } = this.feed.calls;
    return selectCalls(live.values(), this.filters.value, this.directory.value, this.shownNow.value);
  });

  readonly liveCount = computed(() => {
    this.revision.value;
    return this.feed.calls.live.size;
  });

  readonly entries = computed(() =>
    entriesOf(this.calls.value, this.filters.value.group, this.directory.value.queues, this.shownNow.value),
  );

  readonly findFree = computed(() => findFreeAgents(this.directory.value.agents.values()));

  readonly languages = computed(() => {
    const { queues, agents } = this.directory.value;
    const ofQueues = [...queues.values()].flatMap(({ language }) => language ?? []);
    const ofAgents = [...agents.values()].flatMap(({ languages }) => languages);
    return [...new Set([...ofQueues, ...ofAgents])].sort();
  });

  /** True once the queues have been read and there are none for this token. */
  readonly hasNoQueues = computed(() => {
    this.revision.value;
    return this.feed.hasNoQueues;
  });

  readonly firstStepsPlan = computed(() =>
    planFirstSteps(this.claims, this.config.api, this.directory.value.queues),
  );

  readonly languageSummaries = computed(() =>
    summarizeLanguages(this.feed.calls.live.values(), this.directory.value, this.shownNow.value),
  );

  readonly summary = computed(() => {
    const { queues } = this.directory.value;
    return summarize(this.feed.calls.live.values(), queues, this.filters.value.queue, this.shownNow.value);
  });

  start(): void {
    this.feed.start();
    this.tick();
    const retry = () => document.visibilityState === "visible" && this.feed.retryNow();
    addEventListener("online", retry);
    document.addEventListener("visibilitychange", retry);
    this.cleanups.push(
      () => removeEventListener("online", retry),
      () => document.removeEventListener("visibilitychange", retry),
      this.router.listen(),
      effect(() => this.loadHistory()),
    );
  }

  stop(): void {
    this.feed.stop();
    clearTimeout(this.drawTimer);
    clearTimeout(this.tickTimer);
    this.history.value?.close();
    for (const cleanUp of this.cleanups) cleanUp();
  }

  setFilters(change: Partial<Filters>, options?: { keepsHistory: boolean }): void {
    this.router.patch(formatFilters({ ...this.filters.value, ...change }), options);
  }

  clearFilters(): void {
    const { sort, group } = this.filters.value;
    this.setFilters({ ...NO_FILTERS, sort, group });
  }

  readonly open = (callId: string | null): void => {
    if (callId === this.openId.value) return;
    if (callId !== null) this.cursorId.value = callId;
    this.router.patch({ call: callId }, { keepsHistory: false });
  };

  /** Starts to read a path. The caller closes the result. */
  readonly openResource = <T>(path: string, everyMs: number | null): Resource<T> =>
    new Resource<T>({ read: (signal) => this.api.get<T>(path, signal), everyMs, onHalt: this.endSession });

  readonly endSession = (halt: Halt): void => this.feed.endSession(halt);

  /** Loads the history of the open call, and closes that of the call before. */
  private loadHistory(): void {
    const callId = this.openId.value;
    const loaded = this.history.peek();
    if (loaded?.callId === callId) return;
    loaded?.close();
    const shown = callId === null ? null : (this.feed.calls.live.get(callId) ?? null);
    this.history.value = callId === null ? null : new CallHistory(callId, this.api, shown);
  }

  private receiveUpdate(frame: UpdateFrame): void {
    this.missedOffers.receive(frame.events ?? []);
    this.alerts.receive(frame);
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
      this.feedStatus.value = {
        connection,
        halt,
        errorMessage,
        confirmedAt,
      };
    });
    this.updateOpenCall();
  }

  /** The open call follows reads as well as frames. */
  private updateOpenCall(): void {
    const history = this.history.peek();
    if (history === null || this.feed.calls.needsSnapshot) return;
    const shown = this.feed.calls.live.get(history.callId);
    if (shown !== undefined) history.put(shown);
    else if (history.call.peek()?.status !== "ended" && history.state.peek() === "ready")
      history.rereadSoon();
  }

  /** All counters step together, at the server's full second. */
  private tick(): void {
    const now = this.clock.now();
    const second = Math.round(now / 1_000) * 1_000;
    this.now.value = Math.abs(now - second) < 60 ? second : now;
    this.alerts.check(this.shownNow.value);
    if (!this.feed.calls.needsSnapshot) this.missedOffers.keepOnly(this.feed.calls.live);
    const { expiresAt } = this.claims;
    if (expiresAt !== null && now >= expiresAt) this.feed.endSession("session_ended");
    else this.tickTimer = setTimeout(() => this.tick(), 1_000 - (now % 1_000) + 5);
  }
}
