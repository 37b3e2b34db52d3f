import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clampViewport,
  frameAt,
  panBy,
  pictureAt,
  type Viewport,
  zoomAround,
} from "../src/shared/data/viewport.ts";

const near = (a: readonly number[], b: readonly number[]) => {
  for (const [i, value] of a.entries()) assert.ok(Math.abs(value - b[i]!) < 1e-9, `${a} is not ${b}`);
};

test("zooming keeps the point under the pointer", () => {
  let viewport: Viewport = [1, 0.5, 0.5];
  const before = pictureAt(viewport, 0.3, 0.7);
  viewport = zoomAround(viewport, 4, 0.3, 0.7);
  near(pictureAt(viewport, 0.3, 0.7), before);
});

test("nothing beyond the picture is ever shown", () => {
  near(clampViewport([1, 0, 0]), [1, 0.5, 0.5]);
  near(clampViewport([2, 0, 1]), [2, 0.25, 0.75]);
  near(clampViewport([Number.NaN, Number.NaN, 0.5]), [1, 0.5, 0.5]);
  assert.equal(zoomAround([1, 0.5, 0.5], 1e9, 0.5, 0.5)[0], 32);
});

test("panning follows the finger", () => {
  near(panBy([4, 0.5, 0.5], 0.5, 0), [4, 0.375, 0.5]);
});

test("frame and picture undo each other", () => {
  const viewport: Viewport = [3, 0.4, 0.6];
  near(frameAt(viewport, ...pictureAt(viewport, 0.2, 0.9)), [0.2, 0.9]);
});
