import assert from "node:assert/strict";
import { test } from "node:test";
import { edges, outlined, outlinesOf, topShare } from "../src/shared/data/outlines.ts";
import { HeatMap } from "../src/shared/data/picture.ts";
import { smoothed } from "../src/shared/data/smooth.ts";

const mapOf = (values: number[], width: number) => {
  const header = {
    name: "m",
    dtype: "float32" as const,
    shape: [values.length / width, width] as [number, number],
  };
  return new HeatMap({ ...header, range: [0, 1] }, new Uint8Array(Float32Array.from(values).buffer));
};

/** Twice the area inside of closed paths, each with its sign: holes run the other way round. */
function area(path: string): number {
  let sum = 0;
  for (const loop of path.split("M").slice(1)) {
    const at = loop
      .replace("Z", "")
      .split("L")
      .map((corner) => corner.split(" ").map(Number));
    at.forEach(([x, y], i) => {
      const [nx, ny] = at[(i + 1) % at.length]!;
      sum += x! * ny! - nx! * y!;
    });
  }
  return sum / 2;
}

test("an outline encloses the pixels that are inside, holes and corners included", () => {
  for (const rows of [
    ["#"],
    ["##", ".#"],
    ["###", "#.#", "###"],
    ["#.", ".#"],
    [".#.", "#.#", ".#."],
    ["...."],
  ]) {
    const [width, height] = [rows[0]!.length, rows.length];
    const path = edges((i) => rows[Math.floor(i / width)]![i % width] === "#", width, height);
    assert.equal(area(path), rows.join("").split("#").length - 1, rows.join("/"));
  }
  assert.equal(
    edges((i) => i < 6, 3, 2),
    "M0 0L3 0L3 2L0 2Z",
  );
});

test("the top share is that share of the pixels, and never all of those that are equal", () => {
  const values = Float32Array.from({ length: 1000 }, (_, i) => ((i * 617) % 1000) / 1000);
  for (const share of outlined) {
    const inside = topShare(values, share).filter(Boolean).length;
    assert.ok(Math.abs(inside - 1000 * share) <= 2, `${share}: ${inside}`);
  }
  assert.equal(topShare(new Float32Array(100), 0.2).filter(Boolean).length, 0);
});

test("signed maps have lines around both signs, by size; others only around what is large", () => {
  const values = Array.from({ length: 400 }, (_, i) => (i % 20 < 2 ? 1 + i : i % 20 > 17 ? -1 - i : 0));
  const signedLines = outlinesOf(mapOf(values, 20), true);
  assert.deepEqual([...new Set(signedLines.map(({ sign }) => sign))].sort(), [-1, 1]);
  const total = signedLines
    .filter(({ share }) => share === 0.1)
    .reduce((sum, { path }) => sum + area(path), 0);
  assert.ok(Math.abs(total - 40) <= 1, `${total}`);
  assert.ok(outlinesOf(mapOf(values, 20), false).every(({ sign }) => sign === 1));
});

test("a blur keeps constant insides, and what is no number counts as nothing", () => {
  const flat = smoothed(new Float32Array(81).fill(2), 9, 9, 1);
  assert.ok(Math.abs(flat[40]! - 2) < 1e-6);
  assert.deepEqual(smoothed(Float32Array.of(Number.NaN, 1), 2, 1, 0), Float32Array.of(0, 1));
});
