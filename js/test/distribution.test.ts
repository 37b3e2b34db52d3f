import assert from "node:assert/strict";
import { test } from "node:test";
import { Distribution } from "../src/shared/data/distribution.ts";

/** The definition, slowly: the smallest value that at least the share q does not exceed. */
function slowQuantile(values: number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length - 1e-9) - 1)]!;
}

/** Numbers that float16 can hold, of both signs and widely spread sizes. */
function halves(count: number): number[] {
  let seed = 7;
  const random = () => {
    seed = (seed * 16807) % 2147483647;
    return seed / 2147483647;
  };
  return Array.from({ length: count }, () => {
    const size = Math.round(random() * 1024 + 1024) * 2 ** Math.round(random() * -20);
    return random() < 0.3 ? -size : size;
  });
}

test("quantiles equal sorting, for values of float16", () => {
  const values = halves(5000);
  const distribution = Distribution.of(Float32Array.from(values));
  for (const q of [0.001, 0.01, 0.25, 0.5, 0.75, 0.99, 1]) {
    assert.equal(distribution.quantile(q), slowQuantile(values, q), `q = ${q}`);
  }
  assert.equal(distribution.lowest, Math.min(...values));
  assert.equal(distribution.highest, Math.max(...values));
});

test("a pixel's rank is the share of pixels up to its value", () => {
  const distribution = Distribution.of(Float32Array.of(4, 1, 3, 2));
  assert.deepEqual(
    [...distribution.ranks].map((rank) => rank / 65535),
    [1, 0.25, 0.75, 0.5].map((share) => Math.round(share * 65535) / 65535),
  );
});

test("ties share a rank", () => {
  const { ranks } = Distribution.of(Float32Array.of(1, 1, 2, 2));
  assert.equal(ranks[0], ranks[1]);
  assert.equal(ranks[2], 65535);
});

test("shares undo quantiles", () => {
  const distribution = Distribution.of(Float32Array.from({ length: 1000 }, (_, i) => i / 8));
  for (const q of [0.1, 0.3, 0.5, 0.9]) {
    assert.ok(Math.abs(distribution.shareBelow(distribution.quantile(q)) - q) < 1e-6);
  }
  assert.equal(distribution.shareBelow(-1), 0);
  assert.equal(distribution.shareBelow(1e9), 1);
});

test("what is not finite counts for nothing and ranks last", () => {
  const distribution = Distribution.of(Float32Array.of(1, Number.NaN, 2, Number.POSITIVE_INFINITY));
  assert.equal(distribution.count, 2);
  assert.equal(distribution.highest, 2);
  assert.equal(distribution.ranks[1], 65535);
});

test("a map of one value, and a map of none", () => {
  const flat = Distribution.of(new Float32Array(9).fill(0.25));
  assert.equal(flat.quantile(0), 0.25);
  assert.equal(flat.quantile(0.5), 0.25);
  const empty = Distribution.of(Float32Array.of(Number.NaN));
  assert.equal(empty.quantile(0.5), 0);
  assert.equal(empty.count, 0);
});

test("the histogram counts every pixel once", () => {
  const distribution = Distribution.of(Float32Array.from({ length: 1000 }, (_, i) => i));
  const counts = distribution.histogram(0, 500, 10);
  assert.equal(
    counts.reduce((a, b) => a + b),
    1000,
  );
  assert.equal(counts[0], 50);
});

test("one call leaves nothing behind for the next", () => {
  Distribution.of(Float32Array.of(1, 2, 3));
  assert.equal(Distribution.of(Float32Array.of(5)).quantile(0.1), 5);
});
