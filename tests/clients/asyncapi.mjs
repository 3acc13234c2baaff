// Prints what the AsyncAPI parser finds wrong with a document; exits 1 for an error.
import { readFileSync } from "node:fs";
import { argv, exit } from "node:process";
import { Parser } from "@asyncapi/parser";

const ERROR = 0; // the severity; 1 is a warning, and more is information
const { document, diagnostics } = await new Parser().parse(readFileSync(argv[2], "utf8"));
for (const { severity, path, message } of diagnostics) console.log(severity, path.join("."), message);
exit(document === undefined || diagnostics.some(({ severity }) => severity === ERROR) ? 1 : 0);
