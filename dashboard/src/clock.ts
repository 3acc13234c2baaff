/** The server's time, from the `Date` of its answers. The device's clock may be wrong. */

/**
 * An answer dated D, sent at s and received at r (both by the device's clock), shows that the server's clock was in
 * [D, D + 1 s) at some moment in [s, r]. So its offset lies in (D - r, D + 1 s - s). Each answer narrows the
 * bounds, and after a few of them they are far tighter than the header's whole seconds.
 */
export class ServerClock {
  private low = Number.NEGATIVE_INFINITY;
  private high = Number.POSITIVE_INFINITY;

  constructor(private readonly localNow: () => number) {}

  sample(dateHeader: string | null, sentAt: number, receivedAt: number): void {
    const date = dateHeader === null ? Number.NaN : Date.parse(dateHeader);
    if (Number.isNaN(date)) return;
    const low = date - receivedAt;
    const high = date + 1_000 - sentAt;
    const agrees = low <= this.high && high >= this.low;
    // If the new bounds contradict the old ones, one of the clocks was set: start again.
    this.low = agrees ? Math.max(this.low, low) : low;
    this.high = agrees ? Math.min(this.high, high) : high;
  }

  /** False until an answer had a date. Until then, `now` is the device's time. */
  get isKnown(): boolean {
    return Number.isFinite(this.low);
  }

  get offsetMs(): number {
    return this.isKnown ? (this.low + this.high) / 2 : 0;
  }

  now(): number {
    return this.localNow() + this.offsetMs;
  }
}
