/**
 * The address of a view: `#/agents?language=es`. It is in the fragment, so that a static bucket needs no rules for it,
 * and so that no server logs call ids or search texts.
 */

import { computed, signal } from "@preact/signals";

export const VIEWS = ["floor", "agents", "figures", "alerts", "dead-letters", "calls"] as const;
export type View = (typeof VIEWS)[number];

export interface Address {
  view: View;
  query: string;
}

export type Query = Record<string, string | null>;

export function parseAddress(fragment: string): Address {
  const [, name, query = ""] = /^#\/?([a-z-]*)\??(.*)$/.exec(fragment) ?? [];
  return { view: VIEWS.find((view) => view === name) ?? "floor", query };
}

export function formatAddress(view: View, query: Query | URLSearchParams = {}): string {
  const given = query instanceof URLSearchParams ? [...query] : Object.entries(query);
  const parameters = given.filter((pair): pair is [string, string] => pair[1] !== null && pair[1] !== "");
  // A fragment may contain commas and colons, so they stay readable.
  const text = new URLSearchParams(parameters).toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  return `#/${view}${text === "" ? "" : `?${text}`}`;
}

/** Reads and changes the address. */
export class Router {
  private readonly address = signal(parseAddress(location.hash));
  readonly view = computed(() => this.address.value.view);
  readonly query = computed(() => new URLSearchParams(this.address.value.query));

  get(name: string): string | null {
    return this.query.value.get(name) || null;
  }

  /** Changes parameters of this view; null removes one. */
  readonly patch = (change: Query, { keepsHistory = true } = {}): void => {
    const query = new URLSearchParams(this.query.peek());
    for (const [name, value] of Object.entries(change)) {
      if (value === null || value === "") query.delete(name);
      else query.set(name, value);
    }
    this.go(formatAddress(this.view.peek(), query), { keepsHistory });
  };

  go(address: string, { keepsHistory = true } = {}): void {
    if (keepsHistory) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    this.read();
  }

  /** Returns a function that stops listening. */
  listen(): () => void {
    const read = () => this.read();
    addEventListener("popstate", read);
    read(); // the address may have changed before this listener was added
    return () => removeEventListener("popstate", read);
  }

  private read(): void {
    this.address.value = parseAddress(location.hash);
  }
}
