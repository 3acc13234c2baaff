/** Reads whole snapshots into the floor, one at a time, and again where a gap overtook the read. */

import type { Api } from "./api";
import type { Floor } from "./floor";

export class SnapshotReader {
  private stopCurrent: AbortController | null = null;

  constructor(
    private readonly api: Api,
    private readonly floor: Floor,
    private readonly onPage: () => void,
  ) {}

  get isBusy(): boolean {
    return this.stopCurrent !== null;
  }

  stop(): void {
    this.stopCurrent?.abort();
  }

  /** Settles when a snapshot that no gap overtook stands in the floor. One read at a time: ask `isBusy` first. */
  async read(): Promise<void> {
    const stop = new AbortController();
    this.stopCurrent = stop;
    try {
      while (!(await this.readOnce(stop.signal)));
    } catch (error) {
      this.floor.abandonSnapshot();
      throw error;
    } finally {
      this.stopCurrent = null;
    }
  }

  private async readOnce(signal: AbortSignal): Promise<boolean> {
    this.floor.beginSnapshot();
    for await (const page of this.api.liveCalls(signal)) {
      const counts = this.floor.addPage(page.data, page.position);
      this.onPage();
      if (!counts) return false;
    }
    return this.floor.completeSnapshot();
  }
}
