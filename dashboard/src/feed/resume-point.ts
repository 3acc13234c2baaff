/** The position to resume from: the last position received, less a margin. */

/**
 * Two relays may post to one connection while one hands over to the other, so a frame can arrive before an earlier one.
 * If the socket closes between the two, resuming at the newest position would skip the older. An overlap costs a few
 * copies, which versions make harmless. A gap would lose updates.
 */
export const OVERLAP_MS = 5_000;

interface Seen {
  at: number;
  position: number;
}

export class ResumePoint {
  private settled: number | null = null;
  private recent: Seen[] = [];

  /** A new connection. Frames that were overtaken on the old one may be lost. */
  connected(): void {
    this.recent = [];
  }

  saw(position: number, at: number): void {
    this.settled ??= position; // The first `subscribed`: no update came before it.
    this.recent.push({ at, position });
    this.settle(at);
  }

  /** A read is complete up to this position, although frames may still arrive. */
  whole(position: number): void {
    if (this.settled === null || position > this.settled) this.settled = position;
  }

  /**
   * The position to send as `since`, or null if nothing was received. Only a later frame proves that earlier ones
   * arrived, because a socket may be dead for some time before it closes.
   */
  since(): number | null {
    return this.settled;
  }

  private settle(now: number): void {
    let passed = 0;
    for (const seen of this.recent) {
      if (now - seen.at < OVERLAP_MS) break;
      this.whole(seen.position);
      passed++;
    }
    if (passed > 0) this.recent = this.recent.slice(passed);
  }
}
