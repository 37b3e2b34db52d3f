import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Curves } from "../src/flipping/state/curves.ts";
import { boxOf, PatchOrder } from "../src/flipping/state/patches.ts";
import { FlippingStore } from "../src/flipping/state/store.ts";
import type { CurvesMessage, MapMessage, Request } from "../src/flipping/types.ts";
import { csvOf } from "../src/flipping/views/csv.ts";
import { domainOf, Geometry } from "../src/flipping/views/geometry.ts";
import { markersPath, markOf } from "../src/flipping/views/marks.ts";
import { decimalsFor, fixed, stepText } from "../src/flipping/views/words.ts";
import { parsePackets } from "../src/shared/data/wire.ts";
import { Host } from "../src/shared/state/host.ts";
import { StandInModel } from "../src/shared/state/standin.ts";

const request: Request = { order: "both", perturb: "zero", patch: 2, target: null, score: "logit" };
const bytes = (values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

/** Two images of 4 × 3 pixels in patches of 2 (four of them), methods a and b, two repeats of chance. */
function curvesMessage(fields: Partial<CurvesMessage> = {}): {
  content: CurvesMessage;
  buffers: Uint8Array[];
} {
  const lines = [
    { method: "a", order: "morf", repeat: 0 },
    { method: "b", order: "morf", repeat: 0 },
    { method: "a", order: "lerf", repeat: 0 },
    { method: "b", order: "lerf", repeat: 0 },
    { method: "random", order: "random", repeat: 0 },
    { method: "random", order: "random", repeat: 1 },
  ] as CurvesMessage["lines"];
  const none: [null, null, null] = [null, null, null];
  const content: CurvesMessage = {
    type: "curves",
    ...request,
    final: true,
    unfinished: false,
    done: 36,
    total: 36,
    counts: [0, 1, 4, 4],
    gray_last: true,
    grid: { height: 3, width: 4, patch: 2 },
    confidence: 0.95,
    bands: [
      { method: "a", order: "morf" },
      { method: "b", order: "morf" },
      { method: "random", order: "random" },
      { method: "a", order: "lerf" },
      { method: "b", order: "lerf" },
    ],
    lines,
    ties: ["a", "b"],
    images: [0, 1],
    targets: [3, -1],
    known_images: 1,
    table: ["a", "b", "random"].map((method, i) => ({
      method,
      rank: method === "random" ? null : i + 1,
      auc: { morf: none, lerf: none },
      gap: method === "random" ? null : none,
      tied: 0,
    })),
    ...fields,
  };
  const bands = Array.from({ length: 5 * 3 * 4 }, (_, i) => i);
  // Line l, image i, step s: 100 l + 10 i + s.
  const scores = lines.flatMap((_, l) =>
    [0, 1].flatMap((i) => [0, 1, 2, 3].map((s) => 100 * l + 10 * i + s)),
  );
  const areas = [1, 10, 5, 11, 4, 40, 9, 44, 2, 20, 6, 24];
  return { content, buffers: [bands, scores, areas, [0.5, 0, 1, Number.NaN]].map(bytes) };
}

function curves(): Curves {
  const { content, buffers } = curvesMessage();
  return new Curves(content, buffers as Uint8Array<ArrayBuffer>[]);
}

function patchOrder(ranks: number[]): PatchOrder {
  const header: MapMessage = { type: "map", patch: 2, target: null, image: 0, method: "a", map: null };
  return new PatchOrder(header, [new Uint8Array(Int32Array.from(ranks).buffer)]);
}

test("the mean's lines and bands are Python's", () => {
  const [a, b, chance] = curves().series("morf", null);
  assert.deepEqual([...a!.values, ...a!.low!, ...a!.high!], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  assert.equal(b!.values[0], 12);
  assert.equal(chance!.method, "random");
  assert.deepEqual(
    curves()
      .series("lerf", null)
      .map(({ method }) => method),
    ["random", "a", "b"],
  );
});

test("an image's lines are its own, chance is the mean of its repeats with their spread", () => {
  const [a, , chance] = curves().series("morf", 1);
  assert.deepEqual([...a!.values], [10, 11, 12, 13]);
  assert.equal(a!.low, null);
  assert.deepEqual([...chance!.values], [460, 461, 462, 463]);
  assert.deepEqual([chance!.low![0], chance!.high![0]], [410, 510]);
});

test("an image's table ranks by its own gap, and says what ties", () => {
  const rows = curves().table(0);
  const [a, b, chance] = rows;
  assert.deepEqual([a!.rank, a!.auc.morf![0], a!.auc.lerf![0], a!.gap![0]], [2, 1, 4, 3]);
  assert.deepEqual([b!.rank, b!.gap![0], b!.tied], [1, 4, 1]);
  assert.deepEqual([chance!.rank, chance!.auc.morf![0], chance!.gap, chance!.tied], [null, 4, null, null]);
  assert.equal(curves().table(1)[1]!.tied, null);
  assert.equal(curves().table(7)[0]!.rank, null);
});

test("damaged curves are refused", () => {
  const { content, buffers } = curvesMessage();
  assert.throws(
    () => new Curves(content, [buffers[0]!, buffers[0]!] as Uint8Array<ArrayBuffer>[]),
    RangeError,
  );
});

test("patches: the step that flips each, what a step flips, boxes at the edge", () => {
  const order = patchOrder([2, 0, 3, 1]);
  const counts = [0, 1, 4, 4];
  assert.deepEqual(
    [0, 1, 2, 3].map((patch) => order.stepOf(patch, "morf", counts)),
    [2, 1, 2, 2],
  );
  assert.deepEqual(
    [0, 1, 2, 3].map((patch) => order.stepOf(patch, "lerf", counts)),
    [2, 2, 1, 2],
  );
  assert.deepEqual(order.flippedBetween(0, 1, "morf", counts), [1]);
  assert.deepEqual(order.flippedBetween(0, 1, "lerf", counts), [2]);
  assert.deepEqual(order.flippedBetween(1, 2, "morf", counts), [0, 2, 3]);
  assert.equal(order.stepOf(2, "morf", [0, 1]), null);
  assert.deepEqual(boxOf(3, { height: 3, width: 4, patch: 2 }), { x: 2, y: 2, width: 2, height: 1 });
});

test("the cursor snaps to the nearest step; the last, gray one stands aside", () => {
  const geometry = new Geometry(curves(), [0, 10], { width: 400, height: 200 });
  assert.equal(geometry.stepAt(0), 0);
  assert.equal(geometry.stepAt(geometry.x(0.3)), 1);
  assert.equal(geometry.stepAt(geometry.x(0.99)), 2);
  assert.equal(geometry.stepAt(400), 3);
  assert.ok(geometry.at(3) > geometry.at(2));
});

test("lines leave out what is not known", () => {
  const values = Float32Array.of(1, 2, Number.NaN, Number.NaN);
  const series = { method: "a", order: "morf" as const, values, low: null, high: null };
  const geometry = new Geometry(curves(), domainOf([series]), { width: 400, height: 200 });
  assert.equal(geometry.points(series).length, 2);
  assert.equal(geometry.path(series).split("L").length, 2);
  assert.equal(geometry.band(series), "");
  assert.deepEqual(domainOf([]), [0, 1]);
  assert.deepEqual(domainOf([{ ...series, values: Float32Array.of(3, 3) }]), [2.5, 3.5]);
});

test("sixteen methods look all different, and chance like none of them", () => {
  const methods = Array.from({ length: 16 }, (_, i) => `m${i}`);
  const looks = [...methods, "random"].map((name) => {
    const { light, dash, symbol } = markOf(name, methods);
    return JSON.stringify([light, dash, String(symbol.draw)]);
  });
  assert.equal(new Set(looks).size, 17);
  for (const name of methods.slice(0, 7)) {
    const path = markersPath(markOf(name, methods), 30, [[100, 50]]);
    const [x, y] = /M([\d.]+),([\d.]+)/.exec(path)!.slice(1).map(Number);
    assert.ok(Math.abs(x! - 100) < 10 && Math.abs(y! - 50) < 10, path);
  }
});

test("words", () => {
  assert.equal(stepText(curves(), 0), "step 0 of 3 · untouched");
  assert.equal(stepText(curves(), 1), "step 1 of 3 · 1 of 4 patches, 25 %");
  assert.equal(stepText(curves(), 3), "step 3 of 3 · all grey");
  assert.deepEqual([fixed(-0.00001, 3), fixed(-1.5, 1), fixed(null, 2)], ["0.000", "−1.5", "–"]);
  assert.deepEqual([[12.3], [0.5], [1234], []].map(decimalsFor), [2, 3, 0, 3]);
});

test("CSV holds every point and quotes user text", () => {
  const { content, buffers } = curvesMessage();
  content.lines[0]!.method = 'a "b", c';
  const rows = csvOf(new Curves(content, buffers as Uint8Array<ArrayBuffer>[]))
    .trim()
    .split("\r\n");
  assert.equal(rows.length, 1 + 6 * 2 * 4);
  assert.equal(rows[1], '"a ""b"", c",morf,0,0,3,0,0,0,0');
  assert.ok(rows.at(-1)!.startsWith("random,random,1,1,-1,3,4,1,513"));
  assert.throws(() => csvOf(null), /no curves/);
});

let model: StandInModel;
let store: FlippingStore;
const looks = () => model.sent.filter(({ type }) => type === "look");

function start(state: Record<string, unknown> = {}): void {
  model = new StandInModel({ ...request, methods: ["a", "b"], method: "a", image: 0, images: 2, ...state });
  store = new FlippingStore(new Host(model));
  // There is no canvas in Node: a picture that only has to be there.
  store.pictures.value = new Map([[0, { width: 1, height: 1, canvas: {} as HTMLCanvasElement }]]);
}

function receive(fields: Partial<CurvesMessage> = {}): void {
  const { content, buffers } = curvesMessage(fields);
  model.receive({ ...content }, buffers);
}

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  start();
});

test("curves of another request are kept, and the last good ones stay until the next come", () => {
  receive();
  const first = store.shown.value.curves;
  assert.equal(store.shown.value.current, true);
  store.ask({ perturb: "gray" });
  assert.deepEqual([store.shown.value.curves === first, store.shown.value.current], [true, false]);
  assert.deepEqual(model.saved.at(-1), { perturb: "gray" });
  receive({ perturb: "blur" });
  assert.equal(store.shown.value.curves, first, "an answer to another question is not shown");
  receive({ perturb: "gray" });
  assert.equal(store.shown.value.current, true);
  store.ask({ perturb: "zero" });
  assert.deepEqual([store.shown.value.curves === first, store.shown.value.current], [true, true]);
});

test("what was made of an explanation that was replaced is forgotten, its curves stay until the next come", () => {
  receive();
  const ranks = new Uint8Array(Int32Array.of(0, 1, 2, 3).buffer);
  model.receive({ type: "map", patch: 2, target: null, image: 0, method: "a", map: null }, [ranks]);
  model.receive({ type: "gae", rows: {}, done: 1, total: 2 });
  model.receive({ type: "forget" });
  assert.deepEqual([store.order("a"), store.gae.value, store.shown.value.current], [null, null, false]);
  assert.notEqual(store.shown.value.curves, null);
  receive();
  mock.timers.tick(1);
  assert.deepEqual(looks().at(-1)!.maps, ["a", "b", "random"]);
  assert.equal(store.shown.value.current, true);
});

test("frames are asked for around the cursor, the step on screen first, once", () => {
  receive();
  store.goTo(2);
  mock.timers.tick(1);
  assert.deepEqual(looks().at(-1)!.steps, [2, 1, 3]);
  assert.deepEqual(looks().at(-1)!.orders, ["morf", "lerf"]);
  assert.deepEqual(looks().at(-1)!.maps, ["a", "b", "random"]);
  const count = looks().length;
  mock.timers.tick(100);
  assert.equal(looks().length, count);
  store.goTo(1);
  mock.timers.tick(1);
  assert.deepEqual(looks().at(-1)!.steps, [1, 2, 3], "the newest wish comes first");
  store.goTo(99);
  assert.equal(store.step.value, 3);
});

test("nothing is asked for before Python spoke, and nothing without a kernel", () => {
  mock.timers.tick(100);
  assert.equal(looks().length, 0);
  receive();
  mock.timers.tick(1);
  assert.equal(looks().length, 1);
});

test("scrubbing reaches Python once, when it rests", () => {
  receive();
  store.committer.begin();
  for (let step = 0; step < 4; step++) store.goTo(step);
  mock.timers.tick(1000);
  assert.equal(model.saved.length, 0);
  store.committer.end();
  mock.timers.tick(300);
  assert.deepEqual(model.saved, [{ step: 3 }]);
});

test("hidden methods leave the screen, and the next one's frames are shown", () => {
  store.toggle("a");
  assert.deepEqual([store.visible.value, store.method.value], [["b", "random"], "b"]);
  assert.deepEqual(model.saved.at(-1), { hidden: ["a"] });
  store.toggle("a");
  assert.equal(store.method.value, "a");
  start({ order: "random" });
  assert.deepEqual([store.visible.value, store.frameOrders.value], [["random"], ["morf"]]);
});

test("what was received can be a page of its own", () => {
  receive();
  const ranks = new Uint8Array(Int32Array.of(0, 1, 2, 3).buffer);
  model.receive({ type: "map", patch: 2, target: null, image: 0, method: "a", map: null }, [ranks]);
  model.receive({ type: "gae", rows: { a: [0.5, 0.4, 0.6] }, done: 1, total: 2 });
  store.pictures.value = new Map();
  const kinds = store.recorded("this").map(({ content }) => content.type);
  assert.deepEqual(kinds, ["curves", "map", "gae"]);
  assert.deepEqual([...store.order("a")!.ranks], [0, 1, 2, 3]);
});

test("a saved notebook's packets are read, a damaged blob is none", () => {
  const header = new TextEncoder().encode(JSON.stringify([{ content: { type: "x" }, sizes: [3, 2] }]));
  const start = Math.ceil((4 + header.length) / 8) * 8;
  const blob = new Uint8Array(start + 10);
  new DataView(blob.buffer).setUint32(0, header.length, true);
  blob.set(header, 4);
  blob.set([1, 2, 3], start);
  blob.set([8, 9], start + 8);
  const [packet] = parsePackets(blob);
  assert.deepEqual(
    [packet!.content.type, ...packet!.buffers.map((part) => [...part])],
    ["x", [1, 2, 3], [8, 9]],
  );
  assert.deepEqual(parsePackets(blob.subarray(0, start + 9)), []);
  assert.deepEqual(parsePackets(null), []);
});

test("how far the score is from where it began when all is hidden", () => {
  assert.ok(Math.abs(curves().change(1)! - 0.3) < 1e-6);
  // A score of zero has no share: the next line tells.
  assert.ok(Math.abs(curves().change(0)! - 0.03) < 1e-6);
  const { content, buffers } = curvesMessage({ images: [0] });
  assert.throws(() => new Curves(content, buffers as Uint8Array<ArrayBuffer>[]));
});
