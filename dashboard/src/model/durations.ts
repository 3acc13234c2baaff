/** Formats of durations, ages, times and days. */

/** `0:07`, `12:40`, `1 h 02`, `12 h`, `4 d`. Longer durations have fewer digits, because tiles are narrow. */
export function clockDuration(ms: number): string {
  const hours = Math.floor(ms / 3_600_000);
  if (hours < 10) return workDuration(ms);
  return hours < 100 ? `${hours}\u00a0h` : `${Math.floor(hours / 24)}\u00a0d`;
}

/** A total of working time: `0:07`, `12:40`, `120 h 02`. It is not converted to days. */
export function workDuration(ms: number): string {
  const total = Math.floor(Math.max(0, ms) / 1_000);
  const [hours, minutes, seconds] = [Math.floor(total / 3_600), Math.floor(total / 60) % 60, total % 60];
  const padded = (count: number) => String(count).padStart(2, "0");
  return hours > 0 ? `${hours}\u00a0h\u00a0${padded(minutes)}` : `${minutes}:${padded(seconds)}`;
}

/** The remaining time, rounded up so that 0:00 is the deadline itself. Overdue time has a plus sign. */
export function countdown(remainingMs: number): string {
  if (remainingMs > 0) return clockDuration(Math.ceil(remainingMs / 1_000) * 1_000);
  return `+${clockDuration(-remainingMs)}`;
}

/** An age in one unit: `8 s`, `3 min`, `2 h`, `5 d`. */
export function roughAge(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 100 ? `${hours} h` : `${Math.floor(hours / 24)} d`;
}

const timeOfDay = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export function clockTime(ms: number): string {
  return timeOfDay.format(ms);
}

const dayOnly = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });

/** `30 Nov 2026`. */
export function dayName(ms: number): string {
  return dayOnly.format(ms);
}

export function dayUnlessToday(ms: number, now: number): string {
  const day = dayOnly.format(ms);
  return day === dayOnly.format(now) ? "" : day;
}
