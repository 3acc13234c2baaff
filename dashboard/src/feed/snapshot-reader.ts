/** Reads into the calls, one read at a time: whole snapshots, again where a gap overtook one, or only what changed. */

import type { Agent } from "../contracts";
import type { Api } from "./api";
import type { FeedState } from "./feed-state";

export class SnapshotReader {
  private stopCurrent: AbortController | null = null;
  /** Where a poll goes on from: what lies below it stands in the calls. */
  private position: number | null = null;

  constructor(
    private readonly api: Api,
    private readonly state: FeedState,
    private readonly onPage: () => void,
  ) {}

  /** The position up to which the calls is complete, or null before the first read. */
  get wholeAt(): number | null {
    return this.position;
  }

  get isBusy(): boolean {
    return this.stopCurrent !== null;
  }

  stop(): void {
    this.stopCurrent?.abort();
  }

  /** Settles when a snapshot that no gap overtook stands in the calls. One read at a time: ask `isBusy` first. */
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

  /** Settles with the agents that changed. Where the server cannot tell, with null: a whole snapshot is read instead. */
  async poll(): Promise<readonly Agent[] | null> {
    const since = this.position;
    if (since === null) return this.read().then(() => []);
    const changes = await this.alone((signal) => this.api.changes(since, signal));
    if (changes.reset) await this.read();
    else this.state.takeChanges(changes);
    this.position = changes.position; // Of a reset too: it was told before the snapshot was read.
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
