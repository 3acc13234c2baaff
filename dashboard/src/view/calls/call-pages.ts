/** The calls that match a query. `more` reads the next page. */

import { signal } from "@preact/signals";
import type { Call, CallPage } from "../../contracts";
import { type Api, ApiError, type Halt, messageOf, withQuery } from "../../feed/api";

const LIMIT = 200;

export class CallPages {
  readonly calls = signal<readonly Call[]>([]);
  readonly state = signal<"loading" | "ready" | "failed" | "forbidden">("loading");
  readonly errorMessage = signal<string | null>(null);
  readonly hasMore = signal(false);
  /** When the first page was read, by the device's clock. */
  readonly updatedAt = signal<number | null>(null);
  private cursor: string | null = null;
  private abort = new AbortController();

  constructor(
    private readonly api: Api,
    private readonly query: string,
    private readonly onHalt: (halt: Halt) => void,
  ) {
    void this.more();
  }

  close(): void {
    this.abort.abort();
  }

  /** Reads the first page again. The calls stay until it has arrived. */
  async refresh(): Promise<void> {
    this.abort.abort();
    this.abort = new AbortController();
    this.cursor = null;
    await this.more();
  }

  async more(): Promise<void> {
    const { signal } = this.abort;
    this.state.value = "loading";
    const parameters = Object.fromEntries(new URLSearchParams(this.query));
    const path = withQuery("/api/calls", { ...parameters, limit: `${LIMIT}`, cursor: this.cursor });
    try {
      const page = await this.api.get<CallPage>(path, signal);
      if (this.cursor === null) this.updatedAt.value = Date.now();
      this.calls.value = this.cursor === null ? page.data : [...this.calls.value, ...page.data];
      this.cursor = page.nextCursor;
      this.hasMore.value = page.nextCursor !== null;
      this.state.value = "ready";
    } catch (error) {
      if (!signal.aborted) this.fail(error);
    }
  }

  private fail(error: unknown): void {
    const status = error instanceof ApiError ? error.status : null;
    if (status === 401) {
      this.onHalt("session_ended");
      return;
    }
    this.state.value = status === 403 ? "forbidden" : "failed";
    this.errorMessage.value = messageOf(error);
  }
}
