/** Reads snapshots or changes, one at a time. Repeats a snapshot if a gap made it useless. */

import type { Agent } from "../contracts";
import type { Api } from "./api";
import type { FeedState } from "./feed-state";

export class SnapshotReader {
  private stopCurrent: AbortController | null = null;
  /** The position from which a poll continues. Earlier changes are applied. */
  private position: number | null = null;

  constructor(
    private readonly api: Api,
    private readonly state: FeedState,
    private readonly onPage: () => void,
  ) {}

  /** The position up to which the calls are complete, or null before the first read. */
  get wholeAt(): number | null {
    return this.position;
  }

  get isBusy(): boolean {
    return this.stopCurrent !== null;
  }

  stop(): void {
    this.stopCurrent?.abort();
  }

  /** Resolves when a complete snapshot was applied. Check `isBusy` first. */
  async read(): Promise<void> {
    try {
      await this.alone(async (signal) => {
        while (!(await this.readOnce(signal)));
      });
    } catch (error) {
      this.state.calls.abandonSnapshot();
      throw error;
    }
  }

  /** Resolves with the changed agents, or with null if the server had no changes and a snapshot was read. */
  async poll(): Promise<readonly Agent[] | null> {
    const since = this.position;
    if (since === null) return this.read().then(() => []);
    const changes = await this.alone((signal) => this.api.changes(since, signal));
    if (changes.reset) await this.read();
    else this.state.takeChanges(changes);
    this.position = changes.position; // Also after a reset, because the answer is older than the snapshot.
    return changes.reset ? null : changes.agents;
  }

  private async alone<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const stop = new AbortController();
    this.stopCurrent = stop;
    try {
      return await run(stop.signal);
    } finally {
      this.stopCurrent = null;
    }
  }

  private async readOnce(signal: AbortSignal): Promise<boolean> {
    const { calls } = this.state;
    calls.beginSnapshot();
    let first: number | null = null;
    for await (const page of this.api.liveCalls(signal)) {
      const counts = calls.addPage(page.data, page.position);
      first ??= page.position;
      this.onPage();
      if (!counts) return false;
    }
    const isWhole = calls.completeSnapshot();
    if (isWhole) this.position = first;
    return isWhole;
  }
}
