import { defineConfig, type Plugin, type PluginOption } from "vite";
import { BUILT_POLICY } from "./src/policy.ts";

// `vite --mode fake` serves the page beside a made-up call centre, so that it can be worked on without the cloud.
async function fakeFloor(mode: string): Promise<PluginOption[]> {
  if (mode !== "fake") return [];
  const { fakePlugin } = await import("./test/fake/plugin.ts");
  return [fakePlugin()];
}

/** Only in what is built: Vite's development server needs styles in the page. */
function policyPlugin(): Plugin {
  const attrs = { "http-equiv": "Content-Security-Policy", content: BUILT_POLICY };
  return {
    name: "content-security-policy",
    apply: "build",
    transformIndexHtml: () => [{ tag: "meta", attrs, injectTo: "head-prepend" }],
  };
}

export default defineConfig(async ({ mode }) => ({
  // Relative addresses: the page lives under a bucket's path locally and at a CDN's root on AWS.
  base: "./",
  plugins: [policyPlugin(), ...(await fakeFloor(mode))],
  build: { target: "es2022", modulePreload: { polyfill: false }, sourcemap: false, assetsInlineLimit: 0 },
  server: { host: "127.0.0.1" },
  preview: { host: "127.0.0.1" },
  // A minute: ten times and more what the slowest test takes on a quiet machine.
  test: {
    environment: "node",
    include: ["test/**/*.test.{ts,tsx}"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
}));
