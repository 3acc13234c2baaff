/** Timers, so that tests can replace them. */

export interface Timers {
  now(): number;
  /** Both return a function that cancels the timer. */
  after(delayMs: number, run: () => void): () => void;
  every(intervalMs: number, run: () => void): () => void;
}

export const systemTimers: Timers = {
  now: () => Date.now(),
  after(delayMs, run) {
    const id = setTimeout(run, delayMs);
    return () => clearTimeout(id);
  },
  every(intervalMs, run) {
    const id = setInterval(run, intervalMs);
    return () => clearInterval(id);
  },
};
