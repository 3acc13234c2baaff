/** Something read over REST for a view, again and again; what was read stays, marked as old, when a later read fails. */

import { signal } from "@preact/signals";
import { ApiError, type Halt } from "./feed/api";

/** `refused`: asking again would be answered the same. */
export type ResourceState = "loading" | "ready" | "failed" | "refused" | "forbidden";

export interface ResourceOptions<T> {
  read: (signal: AbortSignal) => Promise<T>;
  /** Null: once, and when asked. */
  everyMs: number | null;
  onHalt: (halt: Halt) => void;
}

const RETRY_MS = 5_000;

export class Resource<T> {
  readonly value = signal<T | null>(null);
  readonly state = signal<ResourceState>("loading");
  readonly errorMessage = signal<string | null>(null);
  /** By our clock. */
  readonly readAt = signal<number | null>(null);
  private stop = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: ResourceOptions<T>) {
    void this.again();
  }

  close(): void {
    this.stop.abort();
    clearTimeout(this.timer);
  }

  /** Reads now; a read that is under way is given up, because it may tell what was before. */
  async again(): Promise<void> {
    this.close();
    this.stop = new AbortController();
    const { signal: stopped } = this.stop;
    try {
      this.value.value = await this.options.read(stopped);
      this.readAt.value = Date.now();
      this.state.value = "ready";
      this.errorMessage.value = null;
      this.plan(this.options.everyMs);
    } catch (error) {
      if (!stopped.aborted) this.fail(error);
    }
  }

  private fail(error: unknown): void {
    const { status, problem } = error instanceof ApiError ? error : { status: null, problem: null };
    if (status === 401) {
      this.options.onHalt("session_ended");
      return;
    }
    // A gateway refuses too while the API behind it is put up anew, but not by a problem document.
    const isRefused = problem !== null && problem.status < 500 && problem.status !== 429;
    this.state.value = !isRefused ? "failed" : problem.status === 403 ? "forbidden" : "refused";
    this.errorMessage.value = error instanceof Error ? error.message : String(error);
    this.plan(isRefused ? null : RETRY_MS);
  }

  private plan(afterMs: number | null): void {
    if (afterMs !== null) this.timer = setTimeout(() => void this.again(), afterMs);
  }
}
