import { defineConfig, type PluginOption } from "vite";

// `vite --mode fake` serves the page beside a made-up call centre, so that it can be worked on without the cloud.
async function fakeFloor(mode: string): Promise<PluginOption[]> {
  if (mode !== "fake") return [];
  const { fakePlugin } = await import("./test/fake/plugin");
  return [fakePlugin()];
}

export default defineConfig(async ({ mode }) => ({
  // Relative addresses: the page lives under a bucket's path locally and at a CDN's root on AWS.
  base: "./",
  plugins: await fakeFloor(mode),
  build: { target: "es2022", modulePreload: { polyfill: false }, sourcemap: false, assetsInlineLimit: 0 },
  server: { host: "127.0.0.1" },
  preview: { host: "127.0.0.1" },
  test: { environment: "node", include: ["test/**/*.test.ts"] },
}));
