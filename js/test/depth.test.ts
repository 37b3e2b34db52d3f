import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { bilinear } from "../src/heatmap/state/depth.ts";
import { HeatmapStore } from "../src/heatmap/state/store.ts";
import {
  besideImages,
  besideTargets,
  compare,
  gallery,
  type Method,
  sideBySide,
} from "../src/heatmap/types.ts";
import { layerText, placeText } from "../src/heatmap/views/layer.ts";
import { csvOf } from "../src/heatmap/views/numbers.ts";
import { contentOf, type MapPane, panesOf } from "../src/heatmap/views/panes.ts";
import { sentenceOf } from "../src/heatmap/views/words.ts";
import { Host } from "../src/shared/state/host.ts";
import { StandInModel } from "../src/shared/state/standin.ts";

const view = {
  name: "relevance",
  label: "Relevance",
  map: "relevance",
  kind: "diverging",
  unit: "",
  filtered: false,
  high: "speaks for {class}",
  low: "speaks against {class}",
} as const;
const lrp: Method = {
  name: "lrp",
  label: "LRP",
  views: [view],
  filter: null,
  error: null,
  controls: [],
  streaming: false,
  classes: true,
  layers: true,
};
const plain: Method = { ...lrp, name: "plain", label: "Plain", layers: false };
const asked = { image: 0, method: "lrp", target: null, against: null, parameters: {} };
const pixels = Float32Array.from({ length: 16 }, (_, i) => i - 8);
const layer3 = Float32Array.of(1, -2, 3, 4);
const layer4 = Float32Array.of(5);

let model: StandInModel;
let store: HeatmapStore;

function start(state: Record<string, unknown> = {}): void {
  model = new StandInModel({
    images: 2,
    methods: [lrp, plain],
    method: "lrp",
    target: null,
    image: 0,
    ...state,
  });
  store = new HeatmapStore(new Host(model));
  store.pictures.value = new Map([[0, { width: 4, height: 4, canvas: {} as HTMLCanvasElement }]]);
}

function header(name: string, side: number, values: Float32Array) {
  const range: [number, number] = [Math.min(...values), Math.max(...values)];
  return { name, dtype: "float32", shape: [side, side], range };
}

function answerMap(fields: Record<string, unknown> = {}): void {
  const message = { type: "maps", ...asked, maps: [header("relevance", 4, pixels)], final: true, ...fields };
  model.receive(message, [pixels.slice().buffer]);
}

function answerLayers(fields: Record<string, unknown> = {}): void {
  const message = {
    type: "layers",
    ...asked,
    layers: [header("layer4", 1, layer4), header("layer3", 2, layer3)],
    pixels: [4, 4],
    whole: [true, false, true],
    shares: [1, 0.5, 0.8],
    pictured: [0, 0.5, 0.8],
    ...fields,
  };
  model.receive(message, [layer4.slice().buffer, layer3.slice().buffer]);
}

const content = () => contentOf(store, panesOf(store)[0]!)!;
const requests = () => model.sent.filter(({ type }) => type === "depth");

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  start();
});

test("values between the middles of cells, as torch has them", () => {
  const values = Float32Array.of(-7, -6, -3, 2, 9, 18);
  const expected = [
    -7.0, -6.85714, -6.42857, -6.0, -4.71429, -3.42857, -3.0, -2.5, -1.92857, -0.21429, 1.5, 4.07143, 6.64286,
    7.5, 2.0, 3.0, 6.0, 9.0, 12.85714, 16.71429, 18.0,
  ];
  const made = bilinear(values, 3, 2, 7, 3);
  made.forEach((value, i) => {
    assert.ok(Math.abs(value - expected[i]!) < 1e-5, `${i}: ${value}, ${expected[i]}`);
  });
  assert.deepEqual([...bilinear(Float32Array.of(5), 1, 1, 2, 2)], [5, 5, 5, 5]);
});

test("without a layer the pixels are shown, and nothing is asked", () => {
  answerMap();
  assert.equal(content().layer, null);
  assert.deepEqual([...content().paint.map.values], [...pixels]);
  assert.equal(store.depth.layers.value, null);
  assert.equal(store.depth.waiting.value, false);
  assert.deepEqual(requests(), []);
});

test("layers are asked for once a question", () => {
  answerMap();
  store.depth.open();
  store.depth.open();
  assert.equal(store.depth.waiting.value, true);
  assert.deepEqual(requests(), [{ type: "depth", ...asked }]);
  answerLayers();
  store.depth.open();
  assert.equal(store.depth.waiting.value, false);
  assert.equal(requests().length, 1);
  store.state.target.value = 7;
  assert.equal(store.depth.layers.value, null, "those of another class");
  store.depth.open();
  assert.equal(requests().at(-1)!.target, 7);
});

test("the way ends at the ordinary map, to the bit and on its own scale", () => {
  answerMap();
  answerLayers();
  const before = content().paint;
  assert.equal(store.depth.position.value, 2);
  store.depth.go(0);
  assert.equal(store.state.depth.value, "layer4");
  store.depth.go(2);
  assert.equal(store.state.depth.value, null);
  assert.equal(content().paint.map, before.map);
  assert.deepEqual(content().paint.range, before.range);
});

test("a layer is drawn on the pixels of the picture, on its own scale or that of all", () => {
  answerMap();
  answerLayers();
  store.depth.go(1);
  const { paint, layer } = content();
  assert.equal(layer?.name, "layer3");
  assert.deepEqual([paint.map.width, paint.map.height], [4, 4]);
  assert.deepEqual([...paint.map.values], [...bilinear(layer3, 2, 2, 4, 4)]);
  assert.deepEqual(paint.range, [-4, 4]);
  store.set("depth_scale", "total");
  assert.deepEqual(content().paint.range, [-32, 32], "four pixels of at most 8 a cell");
  assert.match(sentenceOf(store, panesOf(store)[0] as MapPane, content()), /At every layer, equal colours/);
  store.set("clip", 75);
  store.set("depth_scale", "layer");
  assert.deepEqual(content().paint.range, [-3, 3], "clipped by its own values");
});

test("going up and down says nothing to Python while a gesture lasts", () => {
  answerMap();
  answerLayers();
  store.committer.begin();
  for (const position of [2, 1, 0, 1]) store.depth.go(position);
  mock.timers.tick(5000);
  assert.deepEqual([model.sent, model.saved], [[], []]);
  store.committer.end();
  mock.timers.tick(5000);
  assert.deepEqual(model.saved, [{ depth: "layer3" }]);
});

test("while another class is computed its layers are not those of the map on screen", () => {
  answerMap();
  answerLayers();
  store.depth.go(1);
  store.state.target.value = 3;
  assert.equal(content().current, false);
  assert.equal(content().layer?.name, "layer3", "still the layer of the map that stands in");
  answerMap({ target: 3 });
  assert.equal(content().layer, null, "the pixels, until the layers are there");
  assert.equal(store.depth.waiting.value, true);
  answerLayers({ target: 3 });
  assert.equal(content().layer?.name, "layer3");
});

test("methods without layers, and comparisons, show their own maps", () => {
  answerMap();
  answerLayers();
  store.depth.go(0);
  assert.equal(store.depth.away.value, false);
  for (const [show, place] of [
    [compare, 1],
    [besideTargets, 1],
    [besideImages, 0],
  ] as const) {
    store.set("show", show);
    assert.equal(store.depth.applies.value, false, show);
    assert.equal(store.depth.away.value, true, "which is said");
    const pane = panesOf(store)[place] as MapPane;
    const { paint, layer } = contentOf(store, pane)!;
    assert.equal(layer, null);
    assert.deepEqual([...paint.map.values], [...pixels]);
    assert.doesNotMatch(sentenceOf(store, pane, contentOf(store, pane)!), /layer/);
  }
  store.set("show", gallery);
  assert.deepEqual([store.depth.applies.value, store.depth.away.value], [false, true]);
  store.set("show", sideBySide);
  assert.deepEqual([store.depth.applies.value, store.depth.away.value], [true, false]);
  assert.equal(contentOf(store, panesOf(store)[1]!)!.layer?.name, "layer4");
  start({ method: "plain" });
  assert.equal(store.depth.away.value, false);
  assert.equal(store.depth.applies.value, false);
  store.depth.open();
  assert.deepEqual(requests(), []);
});

test("an unknown layer is the pixels", () => {
  start({ depth: "layer9" });
  answerMap();
  answerLayers();
  assert.equal(content().layer, null);
  assert.equal(store.depth.position.value, 2);
});

test("what is where, in words", () => {
  answerLayers();
  const [top, middle, end] = store.depth.layers.value!;
  assert.equal(layerText(top!), "layer4 · 1 × 1 · 0 %");
  assert.equal(placeText(top!), "1 × 1 · 100 % of the relevance; 0 % in the picture");
  assert.equal(placeText(middle!), "2 × 2 · 50 % of the relevance, the rest beside it");
  assert.equal(placeText(end!), "4 × 4 · 80 % of the relevance got here");
  answerLayers({ shares: null, pictured: null });
  assert.equal(layerText(store.depth.layers.value![0]!), "layer4 · 1 × 1");
  answerLayers({ pictured: [-0.12, 0.5, 0.8] });
  assert.equal(layerText(store.depth.layers.value![0]!), "layer4 · 1 × 1 · −12 %");
});

test("a page begins with the layers, and numbers are those of the layer on screen", () => {
  answerMap();
  answerLayers();
  store.depth.go(1);
  assert.equal(csvOf(store).split("\n")[0]!.trim(), "row,column,relevance at layer3");
  assert.deepEqual(
    store.depth.recorded((image) => image === 1),
    [],
    "of another image",
  );
  store.pictures.value = new Map(); // no canvas here to read
  const [recorded] = store.recorded("this").filter(({ content: said }) => said.type === "layers");
  start({ depth: "layer4" });
  answerMap();
  model.receive(recorded!.content, recorded!.buffers as unknown as ArrayBuffer[]);
  assert.deepEqual([...content().paint.map.values], Array(16).fill(5));
});

test("a saved page keeps the layers of all its images", () => {
  store.connection.value = "none";
  for (let image = 0; image < 40; image++) {
    answerMap({ image });
    answerLayers({ image });
  }
  store.state.image.value = 0;
  assert.equal(store.depth.layers.value?.length, 3);
  assert.equal(store.depth.recorded(() => true).length, 40);
});

test("what a page weighs counts the layers that it will hold", () => {
  answerMap();
  answerLayers();
  const [one, both] = [store.weight("this")!, store.weight("all")!];
  store.set("depth", "layer3");
  assert.deepEqual([store.weight("this"), store.weight("all")], [one + 10, both + 20]);
});
