/**
 * Guards the plan of src/: data flows one way. Fails on, and names,
 *
 *   a circle of files that import each other; type-only and lazy imports count,
 *   an import up the ladder below, or from one widget into another,
 *   a file over 400 lines, and a file whose name begins with that of a folder it is in.
 *
 *   node layout.mjs             look at src/
 *   node layout.mjs <folder>    look at another folder of that plan
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** Every file stands on a step, and imports from its own step and those before it. `*` is a widget. */
const ladder = [
  "shared/types.ts",
  "shared/data",
  "shared/state",
  "*/types.ts",
  "*/state",
  "shared/drawing",
  "shared/styles",
  "shared/views",
  "shared/controls",
  "shared/page",
  "*/views",
  "*/index.ts",
];
const mostLines = 400;

/**
 * Every way to name another file: `import … from`, `export … from`, `import "…"`, `import("…")` of code and of types,
 * `require("…")`, and references. Found by their words, not by parsing: what a comment or a text says in the same
 * words counts as well, which is the safe side.
 */
const statements = [
  /^\s*(?:import|export)\b[^"'`;]*?\bfrom\s*(["'])([^"'\n]+)\1/gm,
  /^\s*import\s*(["'])([^"'\n]+)\1/gm,
  /\b(?:import|require)\s*\(\s*(?:\/\*.*?\*\/\s*)*(["'`])([^"'`\n]+)\1/gs,
  /^\s*\/\/\/\s*<reference\s+path\s*=\s*(["'])([^"'\n]+)\1/gm,
];
/** An import of what is only known when it runs: no guard can follow it. */
const computed = /\bimport\s*\(\s*(?:\/\*.*?\*\/\s*)*(?:[^"'`\s/]|`[^`]*\$\{)/s;
/** The same for styles. */
const styleImport = /@import\s+(?:url\(\s*)?(["']?)([^"'()\s]+)\1/g;

const [folder = join(dirname(fileURLToPath(import.meta.url)), "src")] = process.argv.slice(2);
const files = readdirSync(folder, { recursive: true })
  .map((name) => String(name).split(sep).join("/"))
  .filter((name) => /\.(ts|tsx|css)$/.test(name) && statSync(join(folder, name)).isFile())
  .sort();
const known = new Set(files);
const texts = new Map(files.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
const graph = new Map(files.map((name) => [name, importsOf(name)]));

const problems = [...files.flatMap(sizeAndName), ...files.flatMap(upward), ...circles()];
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${files.length} files in ${relative(process.cwd(), folder) || "."}: one way, no circles`);

/** The files of this folder that a file names. */
function importsOf(name) {
  const text = texts.get(name);
  const read = name.endsWith(".css") ? [styleImport] : statements;
  const named = read.flatMap((statement) => [...text.matchAll(statement)].map((found) => found[2]));
  const found = named.filter((to) => to.startsWith(".")).map((to) => resolved(name, to));
  return [...new Set(found)].sort();
}

/** Where a relative import leads; names without their ending, and folders, as bundlers read them. */
function resolved(from, to) {
  const path = posix.join(posix.dirname(from), to);
  const endings = ["", ".ts", ".tsx", "/index.ts", "/index.tsx"];
  const asTypeScript = path.replace(/\.js(x?)$/, ".ts$1");
  const candidates = [...endings.map((ending) => path + ending), asTypeScript, `${asTypeScript}x`];
  return candidates.find((candidate) => known.has(candidate)) ?? path;
}

function sizeAndName(name) {
  const found = [];
  const lines = texts.get(name).replace(/\n$/, "").split("\n").length;
  if (lines > mostLines) found.push(`${name} has ${lines} lines, more than ${mostLines}: split it`);
  const parts = name.split("/");
  const stem = parts.pop().toLowerCase();
  for (const part of parts)
    if (stem.startsWith(part.toLowerCase()))
      found.push(`${name} begins with the name of its folder ${part}: the folder says it already`);
  if (computed.test(texts.get(name)) && !name.endsWith(".css"))
    found.push(`${name} imports what is only known when it runs: name the file`);
  return found;
}

/** The widget a file belongs to, or "shared", and its step; -1 for a file that has no room. */
function place(name) {
  const [owner, room] = name.split("/");
  const step = ladder.indexOf(`${owner}/${room}`);
  return { owner, step: owner === "shared" ? step : ladder.indexOf(`*/${room}`) };
}

function upward(name) {
  if (name.endsWith(".d.ts")) return [];
  const own = place(name);
  if (own.step < 0) return [`${name} has no room: the rooms are ${ladder.join(", ")}`];
  return graph.get(name).flatMap((to) => {
    if (to.startsWith("../")) return [`${name} imports ${to}, which is outside of this folder`];
    const theirs = place(to);
    if (theirs.owner !== "shared" && theirs.owner !== own.owner)
      return [`${name} imports ${to}: ${own.owner} must not know ${theirs.owner}`];
    if (theirs.step > own.step)
      return [`${name} imports ${to}: ${ladder[own.step]} stands before ${ladder[theirs.step]}`];
    return [];
  });
}

/** A shortest circle through each knot of files that reach each other. */
function circles() {
  const found = [];
  const told = new Set();
  for (const start of files) {
    if (told.has(start)) continue;
    const circle = shortestCircle(start);
    if (!circle) continue;
    for (const name of circle) told.add(name);
    found.push(`these files import each other: ${[...circle, start].join(" -> ")}`);
  }
  return found;
}

function shortestCircle(start) {
  const ways = [[start]];
  const seen = new Set();
  for (let way = ways.shift(); way; way = ways.shift()) {
    for (const next of graph.get(way.at(-1)) ?? []) {
      if (next === start) return way;
      if (seen.has(next)) continue;
      seen.add(next);
      ways.push([...way, next]);
    }
  }
  return null;
}
