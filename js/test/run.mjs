/** Bundles the unit tests for Node and runs them; arguments pick tests by name: npm test -- wire */
import { spawnSync } from "node:child_process";
import { readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "../node_modules/.xaiwidgets-test");
const picked = process.argv.slice(2);
const files = (await readdir(here)).filter(
  (name) => name.endsWith(".test.ts") && (picked.length === 0 || picked.some((part) => name.includes(part))),
);
if (files.length === 0) {
  console.error(`no test file matches ${picked.join(" ")}; there are: ${(await readdir(here)).join(" ")}`);
  process.exit(1);
}
await rm(out, { recursive: true, force: true });
await esbuild.build({
  entryPoints: files.map((name) => join(here, name)),
  outdir: out,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  jsx: "automatic",
  jsxImportSource: "preact",
  loader: { ".html": "text", ".css": "empty" },
  sourcemap: "inline",
  logLevel: "warning",
});
const built = files.map((name) => join(out, name.replace(/\.ts$/, ".mjs")));
const run = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...built], { stdio: "inherit" });
process.exit(run.status ?? 1);
