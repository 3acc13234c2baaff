/** The token, from the address's fragment or pasted. It is stored for this tab only. */

const KEY = "switchboard.token";

export interface Claims {
  role: string | null;
  /** The queues that the token covers; "*" stands for all. */
  queues: string[];
  /** In milliseconds since 1970. */
  expiresAt: number | null;
}

/** Moves a token from the address to the storage, so that no history or bookmark contains it. Returns whether there was one. */
export function takeTokenFromAddress(): boolean {
  const token = /^#token=([^&]+)/.exec(location.hash)?.[1];
  if (token === undefined) return false;
  saveToken(decodeURIComponent(token));
  history.replaceState(history.state, "", `${location.pathname}${location.search}`);
  return true;
}

export function savedToken(): string | null {
  return sessionStorage.getItem(KEY);
}

export function saveToken(token: string): void {
  sessionStorage.setItem(KEY, token.trim());
}

export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
}

/** The token's claims. The API verifies them. */
export function claimsOf(token: string): Claims {
  try {
    const payload = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const claims = JSON.parse(atob(payload)) as { role?: unknown; queues?: unknown; exp?: unknown };
    const { role, queues, exp } = claims;
    return {
      role: typeof role === "string" ? role : null,
      queues: Array.isArray(queues) ? queues.filter((queue) => typeof queue === "string") : [],
      expiresAt: typeof exp === "number" ? exp * 1_000 : null,
    };
  } catch {
    return { role: null, queues: [], expiresAt: null };
  }
}
