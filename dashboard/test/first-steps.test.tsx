// @vitest-environment happy-dom
/** The floor of a new system: the first steps, the commands and who may run them. A real feed, a fake API. */

import { execFileSync } from "node:child_process";
import { render } from "preact";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ServerClock } from "../src/clock";
import type { Queue } from "../src/contracts";
import { planFirstSteps } from "../src/model/first-steps";
import { texts } from "../src/texts";
import { Command } from "../src/view/shell/Command";
import { Store } from "../src/view/store";
import { FloorView } from "../src/view/views";
import { FakeServer } from "./fake/server";
import { World } from "./fake/world";

vi.setConfig({ testTimeout: 60_000 });

let world: World;
let server: FakeServer;
let store: Store;
let first: Queue;

beforeEach(async () => {
  world = new World();
  const [queue] = world.queues.splice(0);
  if (queue === undefined) throw new Error("no queue");
  first = queue;
  world.agents.splice(0);
  server = await new FakeServer(world).listen();
  document.body.innerHTML = '<div id="root"></div>';
});

afterEach(async () => {
  store?.stop();
  vi.restoreAllMocks();
  await server.close();
});

const root = () => document.getElementById("root") as HTMLElement;
const shown = (testId: string) => document.querySelector(`[data-testid="${testId}"]`);
const TIMEOUT_MS = 30_000;
const waitFor = (check: () => void) => vi.waitFor(check, TIMEOUT_MS);
const appears = (testId: string) => waitFor(() => expect(root().innerHTML).toContain(`"${testId}"`));

function open(claims: object): void {
  const config = { api: `http://${server.address}`, websocket: `ws://${server.address}` };
  store = new Store(config, `x.${btoa(JSON.stringify(claims))}.y`, new ServerClock(Date.now));
  store.start();
  render(<FloorView store={store} />, root());
}

describe("a floor without queues", () => {
  it("shows an administrator three commands for this API", async () => {
    open({ role: "admin", queues: ["*"] });
    await appears("first-steps");
    const commands = ["queue", "agent", "call"].map(
      (id) => shown(`step-${id}`)?.querySelector("code")?.textContent,
    );
    const paths = ["queues/support", "agents/agent-1", "events"];
    for (const [index, path] of paths.entries())
      expect(commands[index]).toContain(`'http://${server.address}/api/${path}'`);
    expect(store.feedStatus.value.connection).toBe("live");
  });

  it("becomes the floor at the first queue, then asks for a call", async () => {
    open({ role: "admin", queues: ["*"] });
    await appears("first-steps");
    world.queues.push(first);
    store.feed.retryNow();
    await appears("call-list");
    await appears("remaining-steps");
    expect(shown("first-steps")).toBeNull();
    expect(shown("step-call")?.querySelector("code")?.textContent).toContain(`"queueId":"${first.id}"`);
    await waitFor(() => expect(server.socketCount).toBe(1));
    world.initiate(first.id);
    await waitFor(() => expect(shown("remaining-steps")).toBeNull());
  });

  it("names the token's own queue and leaves agents out", async () => {
    open({ role: "admin", queues: ["night"] });
    await appears("first-steps");
    expect(shown("step-queue")?.textContent).toContain("/api/queues/night");
    expect(shown("step-agent")).toBeNull();
    expect(root().textContent).toContain(texts.firstSteps.askForAgents);
  });

  it.each([
    [["*"], texts.firstSteps.ask],
    [["night"], texts.firstSteps.askNamed(["night"])],
  ])("tells a supervisor of %j whom to ask", async (queues, help) => {
    open({ role: "supervisor", queues });
    await appears("ask-administrator");
    expect(root().textContent).toContain(help);
    expect(root().querySelector("code")).toBeNull();
  });
});

describe("a command", () => {
  const show = () => render(<Command label="Greet" text="echo hello" />, root());
  const button = () => root().querySelector("button") as HTMLButtonElement;
  const status = () => root().querySelector("[role=status]")?.textContent;

  it("is copied by its button, which says so", async () => {
    const write = vi.spyOn(navigator.clipboard, "writeText").mockResolvedValue();
    show();
    expect(button().textContent).toBe(`${texts.command.copy}: Greet`);
    button().click();
    await waitFor(() => expect(status()).toBe(texts.command.copied));
    expect(write).toHaveBeenCalledWith("echo hello");
    expect(button().textContent).toBe(`${texts.command.copied}: Greet`);
  });

  it("is selected where the browser does not let it be copied", async () => {
    vi.spyOn(navigator.clipboard, "writeText").mockRejectedValue(new Error("not allowed"));
    show();
    button().click();
    await waitFor(() => expect(status()).toBe(texts.command.copyFailed));
    expect(getSelection()?.toString()).toBe("echo hello");
  });

  it("reaches the shell unchanged, whatever the queue's id", () => {
    const id = "it's $(id) `x`";
    const { steps } = planFirstSteps(
      { role: "admin", queues: [id], expiresAt: null },
      "http://api/",
      new Map(),
    );
    const script = `TOKEN=t; curl() { printf '%s\\n' "$@"; }; ${steps.map(({ command }) => command).join("\n")}`;
    const words = execFileSync("sh", ["-c", script], { encoding: "utf8" }).split("\n");
    expect(words).toContain(`http://api/api/queues/${encodeURIComponent(id)}`);
    expect(words).toContain(JSON.stringify({ name: id, language: "en" }));
    expect(words).toContain("Authorization: Bearer t");
  });
});
