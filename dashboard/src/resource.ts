/** A value that a view reads over REST, once or repeatedly. When a later read fails, the value stays. */

import { signal } from "@preact/signals";
import { ApiError, type Halt, messageOf } from "./feed/api";

/** `refused`: the API would refuse the same request again. */
export type ResourceState = "loading" | "ready" | "failed" | "refused" | "forbidden";

export interface ResourceOptions<T> {
  read: (signal: AbortSignal) => Promise<T>;
  /** The interval between reads. Null means: read once, and on `refresh`. */
  everyMs: number | null;
  onHalt: (halt: Halt) => void;
}

const RETRY_MS = 5_000;

export class Resource<T> {
  readonly value = signal<T | null>(null);
  readonly state = signal<ResourceState>("loading");
  readonly errorMessage = signal<string | null>(null);
  /** The time of the last successful read, by the device's clock. */
  readonly updatedAt = signal<number | null>(null);
  private abort = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: ResourceOptions<T>) {
    void this.refresh();
  }

  close(): void {
    this.abort.abort();
    clearTimeout(this.timer);
  }

  /** Reads now. Aborts a read in progress, because its answer may be older than this request. */
  async refresh(): Promise<void> {
    this.close();
    this.abort = new AbortController();
    const { signal } = this.abort;
    try {
      this.value.value = await this.options.read(signal);
      this.updatedAt.value = Date.now();
      this.state.value = "ready";
      this.errorMessage.value = null;
      this.schedule(this.options.everyMs);
    } catch (error) {
      if (!signal.aborted) this.fail(error);
    }
  }

  private fail(error: unknown): void {
    const { status, problem } = error instanceof ApiError ? error : { status: null, problem: null };
    if (status === 401) {
      this.options.onHalt("session_ended");
      return;
    }
    // A gateway also refuses requests while the API restarts, but without a problem document.
    const isRefused = problem !== null && problem.status < 500 && problem.status !== 429;
    this.state.value = !isRefused ? "failed" : problem.status === 403 ? "forbidden" : "refused";
    this.errorMessage.value = messageOf(error);
    this.schedule(isRefused ? null : RETRY_MS);
  }

  private schedule(afterMs: number | null): void {
    if (afterMs !== null) this.timer = setTimeout(() => void this.refresh(), afterMs);
  }
}
