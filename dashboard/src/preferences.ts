/** Settings that are stored in this browser and shared by its tabs. */

import { effect, type Signal, signal } from "@preact/signals";
import type { Thresholds } from "./model/alerts";

export const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

/** The formulas of the service level. */
export const FORMULAS = ["ofOffered", "ofAnswered", "withoutShortAbandons", "withAbandonsInTime"] as const;
export type FormulaName = (typeof FORMULAS)[number];

export const preferences = {
  theme: stored<Theme>("theme", "auto"),
  /** Single-key shortcuts disturb speech input, so they can be turned off (WCAG 2.1.4). */
  shortcuts: stored("shortcuts", true),
  sound: stored("sound", false),
  notifications: stored("notifications", false),
  formula: stored<FormulaName>("formula", "ofOffered"),
  /** By queue. */
  thresholds: stored<Record<string, Thresholds>>("thresholds", {}),
  /** Acknowledged alerts by key: when the alert was raised and when it was acknowledged, in ms. */
  acknowledged: stored<Record<string, { raisedAt: number; at: number }>>("acknowledged", {}),
};

/** The colours follow the device, unless the user chose a theme. */
export function applyTheme(): void {
  effect(() => {
    document.documentElement.dataset.theme = preferences.theme.value;
  });
}

function stored<T>(name: string, initial: T): Signal<T> {
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
    return initial; // Storage is forbidden or holds other data. The page works without it.
  }
}

function write(key: string, value: unknown): void {
  try {
    const text = JSON.stringify(value);
    if (localStorage.getItem(key) !== text) localStorage.setItem(key, text);
  } catch {
    // As above. If the storage is full, the setting is lost at the next visit.
  }
}
