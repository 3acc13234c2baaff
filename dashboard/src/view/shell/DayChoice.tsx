/** The day of the figures. A past day is in the address, so that it can be bookmarked. */

import { texts } from "../../texts";
import * as styles from "./DayChoice.module.css";
import * as textStyles from "./text.module.css";

export interface Day {
  /** `2026-01-31` */
  name: string;
  from: Date;
  to: Date;
  isToday: boolean;
  /** The name of today. */
  today: string;
}

/** The named day, or today. */
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
    today,
  };
}

function nameOf(date: Date): string {
  const twoDigits = (part: number) => String(part).padStart(2, "0");
  return `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;
}

interface DayChoiceProps {
  day: Day;
  /** Gets null for today. */
  onChoose: (day: string | null) => void;
}

export function DayChoice({ day, onChoose }: DayChoiceProps) {
  const choose = (name: string) => onChoose(name === day.today ? null : name);
  const move = (days: number) => {
    const { from } = day;
    choose(nameOf(new Date(from.getFullYear(), from.getMonth(), from.getDate() + days)));
  };
  return (
    <div class={styles.day}>
      <button type="button" class={styles.step} aria-label={texts.day.previous} onClick={() => move(-1)}>
        ‹
      </button>
      <label>
        <span class={textStyles.hidden}>{texts.day.label}</span>
        <input
          type="date"
          data-testid="day"
          value={day.name}
          max={day.today}
          onChange={(event) => choose(event.currentTarget.value)}
        />
      </label>
      <button
        type="button"
        class={styles.step}
        aria-label={texts.day.next}
        disabled={day.isToday}
        onClick={() => move(1)}
      >
        ›
      </button>
    </div>
  );
}
