import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Committer } from "../src/shared/state/commit.ts";

let written: Record<string, unknown>[] = [];
let committer: Committer;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  written = [];
  committer = new Committer((values) => written.push(values));
});

test("many changes are written once, 300 ms after the last", () => {
  for (let i = 0; i < 50; i++) {
    committer.change("opacity", i);
    mock.timers.tick(20);
  }
  assert.deepEqual(written, []);
  mock.timers.tick(300);
  assert.deepEqual(written, [{ opacity: 49 }]);
  mock.timers.tick(1000);
  assert.equal(written.length, 1);
});

test("nothing is written while a gesture lasts, however long it rests", () => {
  committer.begin();
  committer.change("threshold", 0.4);
  mock.timers.tick(5000);
  assert.deepEqual(written, []);
  committer.end();
  mock.timers.tick(299);
  assert.deepEqual(written, []);
  mock.timers.tick(1);
  assert.deepEqual(written, [{ threshold: 0.4 }]);
});

test("changes of several values travel together", () => {
  committer.change("opacity", 1);
  committer.change("show", "u_relax");
  mock.timers.tick(300);
  assert.deepEqual(written, [{ opacity: 1, show: "u_relax" }]);
});

test("a request writes first", () => {
  committer.change("target", 3);
  committer.flush();
  assert.deepEqual(written, [{ target: 3 }]);
  mock.timers.tick(1000);
  assert.equal(written.length, 1);
});

test("it knows what the kernel has not heard of", () => {
  committer.change("clip", 99);
  assert.ok(committer.holds("clip"));
  assert.ok(!committer.holds("zoom"));
  committer.flush();
  assert.ok(!committer.holds("clip"));
});

test("a widget that closes writes what is left", () => {
  committer.change("opacity", 0.2);
  committer.dispose();
  assert.deepEqual(written, [{ opacity: 0.2 }]);
});
