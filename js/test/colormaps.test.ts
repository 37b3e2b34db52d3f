import assert from "node:assert/strict";
import { test } from "node:test";
import { colormaps, colorTable, cssColor, fittingColormap, withAlpha } from "../src/shared/data/colormaps.ts";

const rgba = (packed: number) => [...new Uint8Array(Uint32Array.of(packed).buffer)];

test("every map has 256 opaque colours", () => {
  for (const { name } of colormaps) {
    const table = colorTable(name);
    assert.equal(table.length, 256);
    assert.ok(table.every((color) => rgba(color)[3] === 255));
  }
});

test("viridis is viridis", () => {
  assert.deepEqual(rgba(colorTable("viridis")[0]!).slice(0, 3), [68, 1, 84]);
  assert.deepEqual(rgba(colorTable("viridis")[255]!).slice(0, 3), [253, 231, 37]);
});

/** CIE lightness, near enough: how bright a colour looks. */
const brightness = ([r, g, b]: number[]) =>
  0.2126 * (r! / 255) ** 2.2 + 0.7152 * (g! / 255) ** 2.2 + 0.0722 * (b! / 255) ** 2.2;

test("sequential maps only get brighter, so that they read without colour", () => {
  for (const { name } of colormaps.filter(({ kind }) => kind === "sequential")) {
    const light = [...colorTable(name)].map((color) => brightness(rgba(color)));
    for (let i = 16; i < 256; i += 16) assert.ok(light[i]! > light[i - 16]!, `${name} at ${i}`);
  }
});

test("diverging maps are palest at zero, and red or orange for positive", () => {
  for (const { name } of colormaps.filter(({ kind }) => kind === "diverging")) {
    const light = [...colorTable(name)].map((color) => brightness(rgba(color)));
    assert.ok(Math.abs(light.indexOf(Math.max(...light)) - 127.5) < 20, name);
    const [red, , blue] = rgba(colorTable(name)[210]!);
    assert.ok(red! > blue!, name);
  }
});

test("a map that does not fit the data gives way to one that does", () => {
  assert.equal(fittingColormap("magma", "sequential"), "magma");
  assert.equal(fittingColormap("magma", "diverging"), "red_blue");
  assert.equal(fittingColormap("no such map", "sequential"), "viridis");
});

test("fading keeps the colour", () => {
  const [color] = withAlpha(colorTable("magma"), 56);
  assert.deepEqual(rgba(color!), [...rgba(colorTable("magma")[0]!).slice(0, 3), 56]);
});

test("legends and pixels use the same colours", () => {
  const [r, g, b] = rgba(colorTable("cividis")[255]!);
  assert.equal(cssColor("cividis", 1), `rgb(${r}, ${g}, ${b})`);
});
