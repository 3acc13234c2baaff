/** What a person has set on this browser: kept here and nowhere else, and followed by the page's other tabs. */

import { effect, type Signal, signal } from "@preact/signals";
import type { Thresholds } from "./model/alerts";

export const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

/** Whose formula the service level is told by. */
export const FORMULAS = ["ofOffered", "ofAnswered", "withoutShortAbandons", "withAbandonsInTime"] as const;
export type FormulaName = (typeof FORMULAS)[number];

export const preferences = {
  theme: kept<Theme>("theme", "auto"),
  /** Single keys as shortcuts disturb whoever speaks to the machine: they can be turned off (WCAG 2.1.4). */
  shortcuts: kept("shortcuts", true),
  sound: kept("sound", false),
  notifications: kept("notifications", false),
  formula: kept<FormulaName>("formula", "ofOffered"),
  /** By queue. */
  thresholds: kept<Record<string, Thresholds>>("thresholds", {}),
  /** The alarms that somebody has seen to, by key: when each was raised and when that was said, in ms. */
  acknowledged: kept<Record<string, { raisedAt: number; at: number }>>("acknowledged", {}),
};

/** The page's colours follow the device, unless somebody chose. */
export function applyTheme(): void {
  effect(() => {
    document.documentElement.dataset.theme = preferences.theme.value;
  });
}

function kept<T>(name: string, initial: T): Signal<T> {
  const key = `switchboard.${name}`;
  const value = signal(read(key, initial));
  value.subscribe((next) => write(key, next));
  addEventListener("storage", (event) => {
    if (event.key === key) value.value = read(key, initial);
  });
  return value;
}

function read<T>(key: string, initial: T): T {
  try {
    const text = localStorage.getItem(key);
    return text === null ? initial : (JSON.parse(text) as T);
  } catch {
    return initial; // Storage is forbidden, or holds what is not ours: the page works without.
  }
}

function write(key: string, value: unknown): void {
  try {
    const text = JSON.stringify(value);
    if (localStorage.getItem(key) !== text) localStorage.setItem(key, text);
  } catch {
    // As above; a full storage costs the setting at the next visit, nothing else.
  }
}
