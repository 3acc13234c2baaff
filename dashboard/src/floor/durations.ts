/** Durations and times of day as the page writes them. */

/** `0:07`, `12:40`, `1 h 02`: beyond an hour nobody counts seconds, and six more digits would not fit a tile. */
export function clockDuration(ms: number): string {
  const total = Math.floor(Math.max(0, ms) / 1_000);
  const [hours, minutes, seconds] = [Math.floor(total / 3_600), Math.floor(total / 60) % 60, total % 60];
  const padded = (count: number) => String(count).padStart(2, "0");
  return hours > 0 ? `${hours}\u00a0h\u00a0${padded(minutes)}` : `${minutes}:${padded(seconds)}`;
}

/** Time left, rounded up, so that 0:00 is shown no earlier than the deadline itself; time past with a plus. */
export function countdown(remainingMs: number): string {
  if (remainingMs > 0) return clockDuration(Math.ceil(remainingMs / 1_000) * 1_000);
  return `+${clockDuration(-remainingMs)}`;
}

/** An age in the largest unit that tells it: `8 s`, `3 min`, `2 h`. */
export function roughAge(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}

const timeOfDay = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export function clockTime(ms: number): string {
  return timeOfDay.format(ms);
}
