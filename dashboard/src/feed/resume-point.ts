/** Where to resume: the last position seen, less a margin. */

/**
 * Two relays may post to one connection while one hands over to the other, so a frame can arrive before an earlier one.
 * If the line is cut between the two, resuming at the newest position would skip the older. An overlap costs a few
 * copies, which versions make harmless; a gap would cost the truth.
 */
export const OVERLAP_MS = 5_000;

interface Seen {
  at: number;
  position: number;
}

export class ResumePoint {
  private settled: number | null = null;
  private recent: Seen[] = [];

  /** A new connection: what the frames of the old one overtook may have been lost with it. */
  connected(): void {
    this.recent = [];
  }

  saw(position: number, at: number): void {
    this.settled ??= position; // The first `subscribed`: nothing was told before it.
    this.recent.push({ at, position });
    this.settle(at);
  }

  /** What was read is complete up to here, whatever frames are still on their way. */
  whole(position: number): void {
    if (this.settled === null || position > this.settled) this.settled = position;
  }

  /**
   * The position to send as `since`, or null when nothing was ever received. Only a later frame shows that the line
   * lived on for what was on its way: time that passed on a dead line shows nothing.
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
