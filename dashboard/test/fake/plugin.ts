/** Serves `config.json` for the made-up call centre beside Vite's own dev and preview servers. */

import type { Connect, Plugin } from "vite";
import { FakeServer } from "./server.ts";
import { fill, keepBusy, simulate } from "./simulate.ts";
import { World } from "./world.ts";

export function fakePlugin(): Plugin {
  const calls = Number(process.env.FAKE_CALLS ?? 60);
  const stepMs = Number(process.env.FAKE_STEP_MS ?? 400);
  const perSecond = Number(process.env.FAKE_PER_SECOND ?? 0);
  const serve = async (middlewares: Connect.Server) => {
    const world = new World();
    fill(world, calls);
    const fake = await new FakeServer(world).listen(Number(process.env.FAKE_PORT ?? 0));
    if (perSecond > 0) keepBusy(world, perSecond);
    else if (stepMs > 0) simulate(world, stepMs);
    middlewares.use("/config.json", (_request, response) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ api: `http://${fake.address}`, websocket: `ws://${fake.address}` }));
    });
  };
  return {
    name: "fake-floor",
    configureServer: (server) => serve(server.middlewares),
    configurePreviewServer: (server) => serve(server.middlewares),
  };
}
