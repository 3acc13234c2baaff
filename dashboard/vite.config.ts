import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Plugin, type PluginOption } from "vite";
import { BUILT_POLICY } from "./src/policy.ts";

const SOURCE = join(import.meta.dirname, "src");

/** `vite --mode fake` serves the page with a simulated call centre, so that no cloud is needed. */
async function fakeFloor(mode: string): Promise<PluginOption[]> {
  if (mode !== "fake") return [];
  const { fakePlugin } = await import("./test/fake/plugin.ts");
  return [fakePlugin()];
}

/** Adds the policy to the built page only, because Vite's development server needs inline styles. */
function policyPlugin(): Plugin {
  const attrs = { "http-equiv": "Content-Security-Policy", content: BUILT_POLICY };
  return {
    name: "content-security-policy",
    apply: "build",
    transformIndexHtml: () => [{ tag: "meta", attrs, injectTo: "head-prepend" }],
  };
}

/** Keeps the styles of a module whose class names were all written in line. The minifier removes the constants. */
function stylesPlugin(): Plugin {
  return {
    name: "keep-styles",
    apply: "build",
    enforce: "post",
    transform: (code, id) =>
      id.endsWith(".module.css") ? { code, map: null, moduleSideEffects: "no-treeshake" } : undefined,
  };
}

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** Short names for the classes of all CSS modules, by file and name. The order of the files decides. */
function shortNames(): Map<string, string> {
  const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).sort();
  const classes = files
    .filter((file) => file.endsWith(".module.css"))
    .map((file) => join(SOURCE, file))
    .flatMap((file) => {
      const names = readFileSync(file, "utf8").matchAll(/\.([a-z]\w*)/gi);
      return [...new Set([...names].map(([, name]) => `${file} ${name}`))];
    });
  const letter = (index: number) => LETTERS[index % LETTERS.length];
  return new Map(
    classes.map((key, index) => [key, `_${letter(Math.floor(index / LETTERS.length))}${letter(index)}`]),
  );
}

/** The keyframes' names are not classes, so they keep theirs. */
function classNames(): (name: string, file: string) => string {
  const names = shortNames();
  return (name, file) => names.get(`${file.replace(/\?.*$/, "")} ${name}`) ?? name;
}

export default defineConfig(async ({ mode, command }) => ({
  // Relative addresses: the page is under a bucket's path locally and at a CDN's root on AWS.
  base: "./",
  plugins: [policyPlugin(), stylesPlugin(), ...(await fakeFloor(mode))],
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    sourcemap: false,
    assetsInlineLimit: 0,
    rolldownOptions: { optimization: { inlineConst: { mode: "all" as const, pass: 2 } } },
  },
  css: { modules: { generateScopedName: command === "build" ? classNames() : "[name]-[local]" } },
  server: { host: "127.0.0.1" },
  preview: { host: "127.0.0.1" },
  // More than ten times what the slowest test takes on a quiet machine.
  test: {
    environment: "node",
    include: ["test/**/*.test.{ts,tsx}"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
}));
