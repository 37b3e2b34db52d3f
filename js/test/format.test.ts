import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatCount,
  formatDuration,
  formatNumber,
  formatPercent,
  formatWithError,
} from "../src/shared/data/format.ts";
import { ticksOf } from "../src/shared/data/ticks.ts";
import { fileName } from "../src/shared/page/download.ts";
import { progressText } from "../src/shared/views/progress.tsx";

test("numbers keep three digits and lose what says nothing", () => {
  const cases: [number, string][] = [
    [0, "0"],
    [0.5, "0.5"],
    [0.71349, "0.713"],
    [-0.0031, "−0.0031"],
    [1234.5, "1235"],
    [12, "12"],
    [0.0000123, "1.23e−5"],
    [2.5e9, "2.5e9"],
    [Number.NaN, "no value"],
    [Number.POSITIVE_INFINITY, "∞"],
  ];
  for (const [value, text] of cases) assert.equal(formatNumber(value), text);
});

test("a value is rounded to where its error is", () => {
  assert.equal(formatWithError(0.71349, 0.0123), "0.713 ± 0.012");
  assert.equal(formatWithError(-3.1449, 0.2), "−3.14 ± 0.20");
  assert.equal(formatWithError(1523.2, 31), "1523 ± 31");
  assert.equal(formatWithError(0.5, null), "0.5");
  assert.equal(formatWithError(0.5, 0), "0.5");
  assert.equal(formatWithError(-0.0001, 0.1), "0.00 ± 0.10");
});

test("shares, durations and counts", () => {
  assert.equal(formatPercent(0.5), "50 %");
  assert.equal(formatPercent(0.004), "0.4 %");
  assert.equal(formatDuration(0.3), "under 1 s");
  assert.equal(formatDuration(4.2), "4 s");
  assert.equal(formatDuration(150), "3 min");
  assert.equal(formatDuration(4800), "1 h 20 min");
  assert.equal(formatDuration(-1), "");
  assert.equal(formatCount(3000), "3000");
  assert.equal(formatCount(60000), "60\u202f000");
});

test("the progress line", () => {
  const running = {
    state: "running",
    done: 640,
    total: 3000,
    unit: "masks",
    largest_error: 0.0131,
    seconds_left: 4.2,
  };
  assert.equal(progressText(running), "640 of 3000 masks · largest s.e. 0.013 · 4 s left");
  assert.equal(
    progressText({ ...running, state: "stopped" }),
    "640 of 3000 masks · largest s.e. 0.013 · stopped",
  );
  assert.equal(progressText({ state: "done", done: 3000, total: 3000, unit: "masks" }), "3000 masks");
  const enough = { state: "done", done: 256, total: 256, unit: "masks", enough: true };
  assert.equal(progressText(enough), "good enough at 256 masks");
  assert.equal(progressText({ state: "running" }), "computing…");
  assert.equal(progressText({ state: "idle" }), "");
});

test("ticks are round and inside the range", () => {
  assert.deepEqual(
    ticksOf([0, 1]).map(({ text }) => text),
    ["0", "0.2", "0.4", "0.6", "0.8", "1"],
  );
  assert.equal(ticksOf([2, 2]).length, 1);
  assert.ok(ticksOf([0.013, 0.047]).every(({ at }) => at >= 0 && at <= 1));
});

test("no scale is without two numbers", () => {
  for (let size = 1e-6; size < 1e4; size *= 1.07) {
    for (const range of [
      [-size, size],
      [0, size],
      [0.9 * size, size],
    ] as [number, number][]) {
      const ticks = ticksOf(range);
      assert.ok(ticks.length >= 2, `${range}`);
      assert.ok(ticks.every(({ at }) => at >= 0 && at <= 1));
      assert.ok(new Set(ticks.map(({ text }) => text)).size === ticks.length, `${range}`);
    }
  }
});

test("file names from any title", () => {
  assert.equal(fileName("Why: a/b? <script>", "png"), "why-a-b-script.png");
  assert.equal(fileName("", "svg"), "heatmap.svg");
  assert.equal(fileName("Größe 猫", "html"), "größe-猫.html");
});
