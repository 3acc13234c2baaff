/** The page's Content-Security-Policy, in two steps, because the API's origin is known only at deployment. */

/**
 * Built into the page. `connect-src` is open to any secure origin and to loopback: only this page's own script has run
 * until `config.json` is read, and `narrowPolicy` then closes it. `frame-ancestors` has no effect in a meta element: the
 * CDN's response headers must carry it.
 */
export const BUILT_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self' https: wss: http://localhost:* ws://localhost:* http://127.0.0.1:* ws://127.0.0.1:*",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

export function narrowedPolicy(api: string, websocket: string): string {
  return `connect-src 'self' ${new URL(api).origin} ${new URL(websocket).origin}`;
}

/** Adds a second policy, which can only narrow the first. From now on the page connects to these two origins only. */
export function narrowPolicy(api: string, websocket: string): void {
  const meta = document.createElement("meta");
  meta.httpEquiv = "Content-Security-Policy";
  meta.content = narrowedPolicy(api, websocket);
  document.head.append(meta);
}
