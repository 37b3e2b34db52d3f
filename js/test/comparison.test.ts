import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import type { By } from "../src/heatmap/state/comparison.ts";
import { difference } from "../src/heatmap/state/scales.ts";
import { HeatmapStore } from "../src/heatmap/state/store.ts";
import type { Method } from "../src/heatmap/types.ts";
import {
  apart,
  contentOf,
  type MapPane,
  panesOf,
  refusalOf,
  scaleSentence,
} from "../src/heatmap/views/panes.ts";
import { HeatMap } from "../src/shared/data/picture.ts";
import { Host, type Message } from "../src/shared/state/host.ts";
import { StandInModel } from "../src/shared/state/standin.ts";

const view = {
  name: "relevance",
  label: "Relevance",
  map: "r",
  kind: "diverging",
  unit: "relevance",
  filtered: false,
} as const;
const base = { views: [view], filter: null, error: null, streaming: false, classes: true, controls: [] };
const lrp: Method = { ...base, name: "a", label: "CNN", method: "LRP", model: 0, model_name: "cnn" };
const vit: Method = { ...base, name: "b", label: "ViT", method: "LRP", model: 1, model_name: "vit" };
const gradient: Method = { ...base, name: "c", label: "gradient", method: "Gradient × input", model: 0 };

let model: StandInModel;
let store: HeatmapStore;

function start(state: Record<string, unknown> = {}): void {
  model = new StandInModel({
    methods: [lrp, vit, gradient],
    method: "a",
    target: null,
    image: 0,
    images: 8,
    class_names: ["ring", "star", "heart"],
    show: "relevance",
    ...state,
  });
  store = new HeatmapStore(new Host(model));
  store.pictures.value = new Map(
    Array.from({ length: 8 }, (_, i) => [i, { width: 2, height: 1, canvas: {} as HTMLCanvasElement }]),
  );
}

/** A result of two pixels. */
function answer(values: [number, number], fields: Record<string, unknown> = {}): void {
  const message = {
    type: "maps",
    image: 0,
    method: "a",
    target: null,
    against: null,
    parameters: {},
    request: null,
    maps: [{ name: "r", dtype: "float32", shape: [1, 2], range: [Math.min(...values), Math.max(...values)] }],
    final: true,
    unit: "logit",
    ...fields,
  };
  model.receive(message, [Float32Array.from(values).buffer]);
}

const computes = () => model.sent.filter(({ type }) => type === "compute") as (Message & { id: number })[];
const labels = () => panesOf(store).map(({ label }) => label);
const ranges = () => panesOf(store).map((pane) => contentOf(store, pane)?.paint.range[1] ?? null);

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  start();
});

test("one list of pictures follows from what is compared", () => {
  const shows: [By | null, string[]][] = [
    [null, ["Relevance"]],
    ["method", ["Picture", "CNN: Relevance", "ViT: Relevance", "gradient: Relevance"]],
    ["model", ["Picture", "CNN: Relevance", "ViT: Relevance"]],
    ["image", ["Image 1", "Image 2", "Image 3", "Image 4"]],
  ];
  for (const [by, expected] of shows) {
    store.comparison.start(by);
    assert.deepEqual(labels(), expected);
  }
  store.set("beside", [1, 2]);
  store.comparison.start("class");
  assert.deepEqual(labels(), ["Picture", "star", "heart"]);
  store.comparison.start("gallery");
  assert.equal(labels().length, 8);
});

test("comparing classes begins with the two that the model says first", () => {
  store.album.know(0, {
    kind: "probability",
    label: null,
    classes: Int32Array.of(2, 0, 1),
    shares: Float32Array.of(0.7, 0.2, 0.1),
  });
  store.comparison.start("class");
  assert.deepEqual(store.state.beside.value, [2, 0]);
});

test("at most six stand beside each other, and each comes and goes", () => {
  store.comparison.start("image");
  for (const image of [4, 5, 6]) store.comparison.toggle("image", image);
  assert.deepEqual(store.comparison.chosen("image"), [0, 1, 2, 3, 4, 5]);
  store.comparison.toggle("image", 1);
  assert.deepEqual(store.comparison.chosen("image"), [0, 2, 3, 4, 5]);
});

test("the difference follows the pictures that it is of, and ends with them", () => {
  store.comparison.start("image");
  store.set("difference", [3, 1]);
  store.comparison.toggle("image", 0);
  assert.deepEqual(store.state.difference.value, [2, 0]);
  store.comparison.toggle("image", 3);
  assert.equal(store.state.difference.value, null);
});

test("a difference is the first map minus the second, around zero, and is worked out once", () => {
  store.comparison.start("model");
  store.set("difference", [0, 1]);
  answer([0.5, -1]);
  answer([2, -0.5], { method: "b" });
  const pane = panesOf(store).at(-1)!;
  assert.equal(pane.label, "CNN − ViT");
  const { paint } = contentOf(store, pane)!;
  assert.deepEqual([...paint.map.values], [-1.5, -0.5]);
  assert.deepEqual(paint.range, [-1.5, 1.5]);
  store.set("clip", 90);
  assert.equal(contentOf(store, pane)!.paint.map, paint.map);
});

test("maps that hold values which are none differ by none", () => {
  const map = (values: number[]) =>
    new HeatMap(
      { name: "r", dtype: "float32", shape: [1, 3], range: [0, 1] },
      new Uint8Array(Float32Array.from(values).buffer),
    );
  const made = difference(map([1, Number.NaN, 3]), map([0, 1, 5]));
  assert.deepEqual([...made.values], [1, Number.NaN, -2]);
  assert.deepEqual(made.extent, [-2, 1]);
});

test("there is no difference of what is counted otherwise", () => {
  store.comparison.start("model");
  store.set("difference", [0, 1]);
  answer([1, -1]);
  answer([2, -2], { method: "b", unit: "probability" });
  assert.deepEqual(labels(), ["Picture", "CNN: Relevance", "ViT: Relevance"]);
  assert.match(
    scaleSentence(store),
    /share a scale where their scores are counted alike \(logit, probability\)/,
  );
});

test("one scale where maps are counted alike by one kind of method, and each its own where asked for", () => {
  store.comparison.start("method");
  answer([1, -1]);
  answer([4, 0], { method: "b" });
  answer([9, 0], { method: "c" });
  assert.deepEqual(ranges(), [null, 4, 4, 9]);
  assert.match(
    scaleSentence(store),
    /^Pictures by one kind of method share a scale; between kinds compare places/,
  );
  store.comparison.start("model");
  assert.deepEqual(ranges(), [null, 4, 4]);
  assert.equal(scaleSentence(store), "One scale for all (of the logit): equal colours are equal numbers.");
  store.set("scale", "own");
  assert.deepEqual(ranges(), [null, 1, 4]);
  assert.match(scaleSentence(store), /a scale of its own/);
});

test("models that explain classes of their own say which", () => {
  const says = (model_: number, index: number) =>
    model.receive(
      {
        type: "prediction",
        image: 0,
        kind: "probability",
        label: null,
        ...(model_ ? { model: model_ } : {}),
      },
      [Int32Array.of(index).buffer, Float32Array.of(0.9).buffer],
    );
  says(0, 1);
  says(1, 2);
  store.comparison.start("model");
  answer([1, -1]);
  answer([4, 0], { method: "b" });
  assert.match(scaleSentence(store), /Each explains its own prediction \(CNN star, ViT heart\)/);
  store.set("target", 1);
  answer([1, -1], { target: 1 });
  answer([4, 0], { method: "b", target: 1 });
  assert.doesNotMatch(scaleSentence(store), /own prediction/);
  assert.equal(store.albumOf(vit).prediction(0)?.classes[0], 2);
  assert.equal(store.albumOf(gradient).prediction(0)?.classes[0], 1);
});

test("why there is no map stands in its own place, and the next one is asked for", () => {
  store.comparison.start("model");
  mock.timers.tick(0);
  const refused = { maps: [], refused: "vit has no class “star”", method: "a" };
  answer([0, 0], refused);
  mock.timers.tick(0);
  assert.deepEqual(
    computes().map(({ method }) => method),
    ["a", "b"],
  );
  assert.equal(refusalOf(store, panesOf(store)[1]!), "vit has no class “star”");
  assert.equal(contentOf(store, panesOf(store)[1]!), null);
});

test("of what was refused, and of what is on its way, no unit is said to differ", () => {
  start({ methods: [lrp, gradient], show: "compare", difference: [0, 1] });
  answer([1, 0]);
  answer([0, 0], { maps: [], refused: "no such class", method: "c", unit: undefined });
  const [, one, other] = panesOf(store) as MapPane[];
  assert.equal(apart(store, one!, other!), "gradient has no map");
  assert.deepEqual(labels(), ["Picture", "CNN: Relevance", "gradient: Relevance"], "no empty picture");
  answer([3, 1], { method: "c", unit: undefined, final: false });
  assert.equal(apart(store, one!, other!), "", "its unit comes with its last numbers");
  answer([3, 1], { method: "c", unit: "probability" });
  assert.match(apart(store, one!, other!), /^CNN is counted in relevance of the logit, gradient in/);
});

test("finished results that explain different classes say so", () => {
  const before: Method = { ...lrp, name: "before", label: "before", classes: false };
  const after: Method = { ...before, name: "after", label: "after" };
  start({ methods: [before, after], method: "before", show: "compare" });
  answer([1, 0], { method: "before", explains: "ring" });
  answer([2, 0], { method: "after", explains: "heart" });
  assert.match(
    scaleSentence(store),
    /One scale for all.* They explain different classes \(before ring, after heart\)\./,
  );
  answer([2, 0], { method: "after", explains: "ring" });
  assert.doesNotMatch(scaleSentence(store), /different/);
  start({
    methods: [before, after, { ...before, name: "d", label: "d", method: "" }],
    method: "before",
    show: "compare",
  });
  answer([1, 0], { method: "before", explains: "ring" });
  answer([2, 0], { method: "after", explains: "heart" });
  answer([9, 0], { method: "d" });
  assert.deepEqual(ranges().slice(1), [2, 2, 9]);
  assert.match(
    scaleSentence(store),
    /^Pictures by one kind of method share a scale.* \(before ring, after heart\)/,
  );
});

test("a target is taken off the list, and the difference stays that of its pictures", () => {
  const targets = [1, 2].map((index) => ({ index, name: "", places: {} }));
  start({ show: "targets", targets, beside: [1, 0, 2], difference: [1, 2] });
  store.comparison.forget(1);
  assert.deepEqual(model.saved.at(-1), { beside: [0, 2], difference: [0, 1] });
  assert.deepEqual(model.sent.at(-1), { type: "forget", index: 1 });
  store.comparison.forget(2);
  assert.deepEqual([store.state.beside.value, store.state.difference.value], [[0], null]);
});

test("a list of classes offers no target that was taken off the list, or pointed at in another image", () => {
  const targets = [
    { index: 8, name: "everywhere", places: {} },
    { index: 9, name: "here", places: { 0: { point: [1, 2] as [number, number] } } },
    { index: 10, name: "there", places: { 1: { point: [1, 2] as [number, number] } } },
  ];
  start({ targets, forgotten: [7], images: 2 });
  assert.deepEqual([...store.comparison.unlisted.value], [7, 10]);
  store.ask({ image: 1 });
  assert.deepEqual([...store.comparison.unlisted.value], [7, 9]);
  model.update("forgotten", []);
  assert.deepEqual([...store.comparison.unlisted.value], [9]);
});

test("a gallery asks one after the other: the image on screen, then what is seen, until it is stopped", () => {
  answer([1, 0]);
  store.ask({ image: 5 });
  store.inView.value = new Set([2, 3]);
  store.comparison.start("gallery");
  mock.timers.tick(0);
  const images = () => computes().map(({ image }) => image);
  assert.deepEqual(images(), [5]);
  for (const image of [5, 2]) {
    answer([1, 0], { image });
    mock.timers.tick(0);
  }
  assert.deepEqual(images(), [5, 2, 3]);
  assert.deepEqual((({ state, done, total, unit }) => ({ state, done, total, unit }))(store.progress.value), {
    state: "running",
    done: 3,
    total: 8,
    unit: "images",
  });
  store.stop();
  answer([1, 0], { image: 3 });
  mock.timers.tick(1000);
  assert.deepEqual(images(), [5, 2, 3]);
  assert.equal(store.progress.value.state, "stopped");
  store.requests.askSoon(0);
  mock.timers.tick(0);
  assert.equal(images().length, 4);
});

test("what Python chooses to compare is asked for", () => {
  answer([1, 0]);
  model.update("show", "models");
  mock.timers.tick(0);
  assert.deepEqual(
    computes().map(({ method }) => method),
    ["b"],
  );
});

test("a page of one image holds what stands beside it", () => {
  store.pictures.value = new Map();
  for (const image of [0, 3, 6]) answer([1, 0], { image });
  const held = () =>
    store
      .recorded("this")
      .filter(({ content }) => content.type === "maps")
      .map(({ content }) => content.image);
  assert.deepEqual(held(), [0]);
  store.set("beside_images", [3, 6]);
  store.comparison.start("image");
  assert.deepEqual(held(), [0, 3, 6]);
});

test("pictures stay the same ones while numbers arrive", () => {
  store.comparison.start("model");
  const before = panesOf(store);
  answer([1, 0]);
  answer([1, 0], { method: "b" });
  assert.equal(panesOf(store), before);
});

test("of more images than can be kept those are asked for that are seen", () => {
  start({ images: 3000 });
  // Results of 100 × 100 pixels: 2400 of them are kept.
  const wide = { name: "r", dtype: "float32", shape: [100, 100], range: [0, 1] };
  const fill = (image: number) =>
    model.receive(
      {
        type: "maps",
        image,
        method: "a",
        target: null,
        against: null,
        parameters: {},
        maps: [wide],
        final: true,
      },
      [new Float32Array(10_000).buffer],
    );
  fill(0);
  store.pictures.value = new Map(
    Array.from({ length: 3000 }, (_, i) => [i, { width: 1, height: 1, canvas: {} as HTMLCanvasElement }]),
  );
  store.inView.value = new Set([7, 8]);
  store.comparison.start("gallery");
  for (const image of [7, 8]) {
    mock.timers.tick(0);
    fill(image);
  }
  mock.timers.tick(1000);
  assert.deepEqual(
    computes().map(({ image }) => image),
    [7, 8],
  );
  assert.equal(store.requests.going.value, false);
  store.inView.value = new Set([900]);
  mock.timers.tick(0);
  assert.equal(computes().at(-1)!.image, 900);
});
