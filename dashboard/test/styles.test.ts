/** The class names of components and of their CSS modules agree. TypeScript does not check them. */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

const SOURCE = new URL("../src/", import.meta.url).pathname;
const FILES = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).map((file) => join(SOURCE, file));
const read = (file: string) => readFileSync(file, "utf8");

/** By the path of a module: the names that components use. */
function usedNames(): Map<string, Set<string>> {
  const used = new Map<string, Set<string>>();
  for (const file of FILES.filter((name) => name.endsWith(".tsx"))) {
    const code = read(file);
    for (const [, alias = "", path = ""] of code.matchAll(/import \* as (\w+) from "(.*\.module\.css)"/g)) {
      const module = join(dirname(file), path);
      const names = [...code.matchAll(new RegExp(`\\b${alias}\\.(\\w+)`, "g"))].map(([, name = ""]) => name);
      used.set(module, new Set([...(used.get(module) ?? []), ...names]));
    }
  }
  return used;
}

function definedNames(module: string): Set<string> {
  const css = read(module).replace(/\/\*.*?\*\//gs, "");
  return new Set([...css.matchAll(/\.([a-z]\w*)/gi)].map(([, name = ""]) => name));
}

describe("CSS modules", () => {
  const used = usedNames();

  it("are all used", () =>
    expect(FILES.filter((file) => file.endsWith(".module.css") && !used.has(file))).toEqual([]));

  it.each([...used.keys()].map((file) => [file.slice(SOURCE.length), file]))(
    "%s defines the names that are used, and no others",
    (_name, file) => expect([...definedNames(file)].sort()).toEqual([...(used.get(file) ?? [])].sort()),
  );
});
