import assert from "node:assert/strict";
import { test } from "node:test";
import {
  colormaps,
  colorTable,
  cssColor,
  cssOver,
  fittingColormap,
  isSigned,
  overTable,
  withShare,
} from "../src/shared/data/colormaps.ts";

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
  const [color] = withShare(colorTable("magma"), 0.25);
  assert.deepEqual(rgba(color!), [...rgba(colorTable("magma")[0]!).slice(0, 3), 64]);
  const [over] = withShare(overTable("red_blue"), 0.5);
  assert.deepEqual(rgba(over!), [...rgba(overTable("red_blue")[0]!).slice(0, 3), 128]);
});

test("over a picture, zero shows it untouched and a value covers the more of it the larger it is", () => {
  for (const { name } of colormaps) {
    const alphas = [...overTable(name)].map((color) => rgba(color)[3]!);
    if (!isSigned(name)) assert.ok(alphas.every((alpha) => alpha === 255));
    else {
      assert.deepEqual([alphas[127], alphas[128], alphas[0], alphas[255]], [0, 0, 255, 255]);
      for (let i = 129; i < 256; i++)
        assert.ok(alphas[i]! >= alphas[i - 1]! && alphas[255 - i] === alphas[i]);
    }
  }
});

test("over any grey, the hue is that of the sign from a tenth of the scale on", () => {
  for (const { name } of colormaps.filter(({ kind }) => kind === "diverging")) {
    for (let i = 0; i < 256; i++) {
      const size = (Math.abs(2 * i - 255) - 1) / 254;
      if (size < 0.1) continue;
      for (const ground of [0, 90, 138, 255]) {
        const [r, , b] = cssOver(name, i / 255, 0.7, ground)
          .match(/\d+/g)!
          .map(Number);
        assert.equal(Math.sign(r! - b!), i > 127 ? 1 : -1, `${name} ${i} over ${ground}`);
      }
    }
  }
});

test("legends and pixels use the same colours", () => {
  const [r, g, b] = rgba(colorTable("cividis")[255]!);
  assert.equal(cssColor("cividis", 1), `rgb(${r}, ${g}, ${b})`);
});
