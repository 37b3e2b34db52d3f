/**
 * Builds one self-contained bundle a widget: every folder of src/ that has an index.ts becomes
 * ../xaiwidgets/widgets/static/<folder>.js and .css. Beside them lie the saved page (standalone.html) and what stands beside
 * its frame in a notebook (frame.js).
 *
 *   node build.mjs                 build once, and fail when a bundle is larger than its budget
 *   node build.mjs --check-size    the same, and print every size
 *   node build.mjs --watch         build again on every change
 */
import { copyFile, mkdir, readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { scoped } from "./styles.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, "src");
const target = resolve(here, "../xaiwidgets/widgets/static");
const budget = 80 * 1000; // bytes of gzipped JavaScript and CSS together, a widget

async function widgets() {
  const folders = (await readdir(source, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const found = [];
  for (const { name } of folders) {
    const isWidget = await stat(join(source, name, "index.ts")).then(
      () => true,
      () => false,
    );
    if (isWidget) found.push(name);
  }
  return found;
}

async function gzippedSize(file) {
  return gzipSync(await readFile(file), { level: 9 }).length;
}

/**
 * Colour maps that nobody asks for stay out: d3-scale-chromatic works out all of its own when it is loaded, and says
 * nowhere that this does nothing else.
 * @type {import("esbuild").Plugin}
 */
const unusedColours = {
  name: "unused colours",
  setup(build) {
    build.onLoad({ filter: /d3-scale-chromatic\.mjs$/ }, async ({ path }) => {
      const code = await readFile(path, "utf8");
      const calls =
        /(?<!function )\b(?:new Array|(?:colors|ramp(?:\$1)?|cubehelix\$1|interpolateCubehelixLong)(?=\())/g;
      return { contents: code.replaceAll(calls, "/* @__PURE__ */ $&") };
    });
  },
};

const names = await widgets();
/** Shared styles become each widget's own: another bundle on the page, perhaps of another version, is not reached. */
const styles = (name) => ({
  name: "styles",
  setup(build) {
    build.onLoad({ filter: /[\\/]shared[\\/]styles[\\/].*\.css$/ }, async ({ path }) => ({
      contents: scoped(await readFile(path, "utf8"), name),
      loader: "css",
      resolveDir: dirname(path),
    }));
  },
});
/** @type {(name: string) => import("esbuild").BuildOptions} */
const options = (name) => ({
  entryPoints: { [name]: join(source, name, "index.ts") },
  outdir: target,
  bundle: true,
  format: "esm",
  platform: "browser",
  target: ["es2022", "chrome110", "firefox110", "safari16"],
  jsx: "automatic",
  jsxImportSource: "preact",
  loader: { ".html": "text" },
  minify: true,
  legalComments: "none",
  plugins: [unusedColours, styles(name)],
  logLevel: "warning",
});

await mkdir(target, { recursive: true });
// Python fills in the same page when it saves a widget as HTML.
await copyFile(join(source, "shared", "page", "standalone.html"), join(target, "standalone.html"));
// And puts this script beside a saved page that stands in a frame of a notebook.
await esbuild.build({
  ...options("frame"),
  entryPoints: { frame: join(source, "shared", "page", "frame-host.ts") },
  format: "iife",
  plugins: [],
});

if (process.argv.includes("--watch")) {
  for (const name of names) {
    const context = await esbuild.context({
      ...options(name),
      minify: false,
      sourcemap: "inline",
      logLevel: "info",
    });
    await context.watch();
  }
} else {
  for (const name of names) {
    await esbuild.build(options(name));
    const script = await gzippedSize(join(target, `${name}.js`));
    const style = await gzippedSize(join(target, `${name}.css`));
    if (process.argv.includes("--check-size")) {
      const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
      console.log(`${name}: ${kB(script)} script + ${kB(style)} style, gzipped; budget ${kB(budget)}`);
    }
    if (script + style > budget) {
      console.error(`${name} is ${script + style} bytes gzipped, over the budget of ${budget}.`);
      process.exitCode = 1;
    }
  }
}
