import { describe, expect, it } from "vitest";
import { BUILT_POLICY, narrowedPolicy } from "../src/policy";
import { claimsOf } from "../src/session";

describe("the content security policy", () => {
  it("allows nothing unsafe, and no origin but the deployment's once it is known", () => {
    expect(BUILT_POLICY).not.toMatch(/unsafe-/);
    expect(narrowedPolicy("https://a.example/stage", "wss://b.example/live")).toBe(
      "connect-src 'self' https://a.example wss://b.example",
    );
  });
});

describe("a token's claims", () => {
  it("are read from the token, and missing where it is none", () => {
    const claims = { role: "supervisor", queues: ["support", 7], exp: 100 };
    const payload = btoa(JSON.stringify(claims)).replaceAll("=", "");
    expect(claimsOf(`x.${payload}.y`)).toEqual({
      role: "supervisor",
      queues: ["support"],
      expiresAt: 100_000,
    });
    expect(claimsOf("nonsense")).toEqual({ role: null, queues: [], expiresAt: null });
  });
});
