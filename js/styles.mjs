/**
 * Keeps each widget's styles its own: all widgets stand on one page, and no selector of one may reach another.
 *
 * `scoped` is what the build does with the styles that all widgets share; run by itself, this guards src/. It fails on,
 * and names,
 *
 *   a widget's selector that does not begin with the widget's class, and a shared one that is not of a class `xw…`,
 *   an animation with a name that another widget may have as well,
 *   a grid whose columns are not said, or are free to widen with what is in them (`1fr` without `minmax(0, …)`):
 *   a long name or a number under the pointer would move everything.
 *
 *   node styles.mjs             look at src/
 *   node styles.mjs <folder>    look at another folder of that plan
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The blocks of a style sheet, in order: what stands before each brace, what is in it, and the blocks it is in. */
export function blocksOf(css) {
  const blank = (text) => " ".repeat(text.length);
  const told = css.replace(/\/\*.*?\*\//gs, blank);
  const text = told.replace(/"[^"\n]*"|'[^'\n]*'/g, (string) => `"${blank(string.slice(2))}"`);
  const blocks = [];
  const open = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === ";" || text[i] === "}") start = i + 1;
    if (text[i] === "{") {
      const begin = start + told.slice(start).search(/\S/);
      open.push({
        prelude: told.slice(begin, i).trim(),
        begin,
        from: i + 1,
        within: open.map((b) => b.prelude),
      });
      start = i + 1;
    } else if (text[i] === "}") {
      const block = open.pop();
      blocks.push({ ...block, body: told.slice(block.from, i) });
    }
  }
  return blocks.sort((a, b) => a.begin - b.begin);
}

/** A list of selectors at its commas; those inside of `:is(…)` are no ends. */
export function selectorsOf(prelude) {
  const found = [""];
  let depth = 0;
  for (const character of prelude) {
    if (character === "(") depth++;
    if (character === ")") depth--;
    if (character === "," && depth === 0) found.push("");
    else found[found.length - 1] += character;
  }
  return found.map((selector) => selector.trim());
}

/** Whether a block's prelude is a list of selectors: not `@media …`, nor a step of an animation. */
function styles({ prelude, within }) {
  return !prelude.startsWith("@") && !within.some((outer) => outer.startsWith("@keyframes"));
}

/** Shared styles for one widget alone; the added class has no weight, so that the widget's own styles win as before. */
export function scoped(css, widget) {
  let out = css;
  for (const block of blocksOf(css).filter(styles).reverse()) {
    const own = selectorsOf(block.prelude).map((selector) =>
      /^\.xw(?![\w-])/.test(selector)
        ? selector.replace(".xw", `.xw:where(.xw-${widget})`)
        : `:where(.xw-${widget}) ${selector}`,
    );
    out = `${out.slice(0, block.begin)}${own.join(", ")} ${out.slice(block.from - 1)}`;
  }
  return out;
}

function problemsOf(name, css, widgets) {
  const [owner] = name.split("/");
  const others = `(?!(?:${widgets.join("|") || "-"})(?![\\w-]))`;
  const own = new RegExp(
    owner === "shared" ? `^\\.xw(?:-${others}|(?![\\w-]))` : `^\\.xw-${owner}(?![\\w-])`,
  );
  const wanted = owner === "shared" ? "a class xw or xw-… that is no widget's" : `.xw-${owner}`;
  const animation = new RegExp(owner === "shared" ? `^xw-${others}` : `^xw-${owner}-`);
  return blocksOf(css).flatMap((block) => {
    const { prelude, body } = block;
    const [, frames] = /^@keyframes\s+(\S+)/.exec(prelude) ?? [];
    if (frames && !animation.test(frames))
      return [`${name}: animation ${frames}: begin its name with ${owner}'s own`];
    if (!styles(block)) return [];
    return [
      ...selectorsOf(prelude)
        .filter((selector) => !own.test(selector))
        .map((selector) => `${name}: ${selector} does not begin with ${wanted}: it reaches other widgets`),
      ...gridProblem(body).map((problem) => `${name}: ${prelude}: ${problem}`),
    ];
  });
}

function gridProblem(body) {
  const columns = /grid-template-columns:([^;]*)/.exec(body)?.[1] ?? "";
  if (/[\d.]fr/.test(columns.replace(/minmax\((?:[^()]|\([^()]*\))*\)/g, "")))
    return ["a column of 1fr widens with what is in it: say minmax(0, 1fr)"];
  const grid = /display:\s*(?:inline-)?grid/.test(body);
  const said = columns !== "" || /place-items:\s*center|grid-auto-flow:\s*column/.test(body);
  return grid && !said ? ["a grid without columns widens with what is in it: say minmax(0, 1fr)"] : [];
}

function main([folder = join(dirname(fileURLToPath(import.meta.url)), "src")]) {
  const files = readdirSync(folder, { recursive: true })
    .map((name) => String(name).split(sep).join("/"))
    .filter((name) => name.endsWith(".css"))
    .sort();
  const widgets = [...new Set(files.map((name) => name.split("/")[0]))].filter((owner) => owner !== "shared");
  const problems = files.flatMap((name) =>
    problemsOf(name, readFileSync(join(folder, name), "utf8"), widgets),
  );
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
  else
    console.log(
      `${files.length} style sheets in ${relative(process.cwd(), folder) || "."}: each widget's its own`,
    );
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) main(process.argv.slice(2));
