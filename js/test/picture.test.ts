import assert from "node:assert/strict";
import { test } from "node:test";
import { opaque } from "../src/shared/data/picture.ts";

const drawn = (values: number[], channels: number): number[] => [
  ...opaque(Uint8Array.from(values), values.length / channels, channels),
];

test("three channels are colours, of any other number the mean is grey, and nothing is transparent", () => {
  assert.deepEqual(drawn([1, 2, 3, 4, 5, 6], 3), [1, 2, 3, 255, 4, 5, 6, 255]);
  assert.deepEqual(drawn([7, 9], 1), [7, 7, 7, 255, 9, 9, 9, 255]);
  assert.deepEqual(drawn([10, 20], 2), [15, 15, 15, 255]);
  assert.deepEqual(drawn([10, 20, 30, 0], 4), [15, 15, 15, 255]);
  assert.deepEqual(drawn([1, 2, 3, 4, 5], 5), [3, 3, 3, 255]);
});
