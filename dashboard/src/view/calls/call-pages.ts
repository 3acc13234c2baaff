/** A list of calls that grows by a page whenever somebody asks for more. */

import { signal } from "@preact/signals";
import type { Call, CallPage } from "../../contracts";
import { type Api, ApiError, type Halt } from "../../feed/api";

const LIMIT = 200;

export class CallPages {
  readonly calls = signal<readonly Call[]>([]);
  readonly state = signal<"loading" | "ready" | "failed" | "forbidden">("loading");
  readonly errorMessage = signal<string | null>(null);
  readonly hasMore = signal(false);
  /** When the first page was read, by our clock: what stands there is at least so old. */
  readonly readAt = signal<number | null>(null);
  private cursor: string | null = null;
  private stop = new AbortController();

  constructor(
    private readonly api: Api,
    private readonly query: string,
    private readonly onHalt: (halt: Halt) => void,
  ) {
    void this.more();
  }

  close(): void {
    this.stop.abort();
  }

  /** From the first page on; what stands there stays until that has come. */
  async again(): Promise<void> {
    this.stop.abort();
    this.stop = new AbortController();
    this.cursor = null;
    await this.more();
  }

  async more(): Promise<void> {
    const { signal: stopped } = this.stop;
    this.state.value = "loading";
    const query = new URLSearchParams(this.query);
    query.set("limit", String(LIMIT));
    if (this.cursor !== null) query.set("cursor", this.cursor);
    try {
      const page = await this.api.get<CallPage>(`/api/calls?${query}`, stopped);
      if (this.cursor === null) this.readAt.value = Date.now();
      this.calls.value = this.cursor === null ? page.data : [...this.calls.value, ...page.data];
      this.cursor = page.nextCursor;
      this.hasMore.value = page.nextCursor !== null;
      this.state.value = "ready";
    } catch (error) {
      if (!stopped.aborted) this.fail(error);
    }
  }

  private fail(error: unknown): void {
    const status = error instanceof ApiError ? error.status : null;
    if (status === 401) {
      this.onHalt("session_ended");
      return;
    }
    this.state.value = status === 403 ? "forbidden" : "failed";
    this.errorMessage.value = error instanceof Error ? error.message : String(error);
  }
}
