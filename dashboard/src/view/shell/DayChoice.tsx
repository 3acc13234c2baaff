/** The day that figures are of: in the address, so that a past day can be bookmarked; without it, today. */

import { texts } from "../../texts";
import type { Store } from "../store";

export interface Day {
  /** `2026-01-31` */
  name: string;
  from: Date;
  to: Date;
  isToday: boolean;
}

export function dayOf(named: string | null, now: number): Day {
  const today = nameOf(new Date(now));
  const name = named !== null && /^\d{4}-\d\d-\d\d$/.test(named) ? named : today;
  const from = new Date(`${name}T00:00:00`);
  if (Number.isNaN(from.getTime())) return dayOf(null, now);
  return {
    name,
    from,
    to: new Date(from.getFullYear(), from.getMonth(), from.getDate() + 1),
    isToday: name === today,
  };
}

function nameOf(date: Date): string {
  const two = (part: number) => String(part).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

export function DayChoice({ store, day }: { store: Store; day: Day }) {
  const move = (days: number) => {
    const { from } = day;
    choose(nameOf(new Date(from.getFullYear(), from.getMonth(), from.getDate() + days)));
  };
  const today = dayOf(null, store.now.peek()).name;
  const choose = (name: string) => store.router.patch({ day: name === today ? null : name });
  return (
    <div class="day">
      <button type="button" class="step" aria-label={texts.day.previous} onClick={() => move(-1)}>
        ‹
      </button>
      <label>
        <span class="hidden">{texts.day.label}</span>
        <input
          type="date"
          data-testid="day"
          value={day.name}
          max={today}
          onChange={(event) => choose(event.currentTarget.value)}
        />
      </label>
      <button
        type="button"
        class="step"
        aria-label={texts.day.next}
        disabled={day.isToday}
        onClick={() => move(1)}
      >
        ›
      </button>
    </div>
  );
}
