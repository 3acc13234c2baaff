import { afterEach, describe, expect, it, vi } from "vitest";
import { Router } from "../src/address";

afterEach(() => vi.unstubAllGlobals());

describe("the address", () => {
  it("is read again when a listener is added", () => {
    const place = { hash: "#/calls?flag=rerouted" };
    vi.stubGlobal("location", place);
    vi.stubGlobal("addEventListener", () => undefined);
    const router = new Router();
    place.hash = "#/floor";
    router.listen();
    expect(router.view.value).toBe("floor");
  });
});
