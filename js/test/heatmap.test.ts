import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { HeatmapStore } from "../src/heatmap/state/store.ts";
import { compare, type Method } from "../src/heatmap/types.ts";
import { contentOf, type MapPane, panesOf } from "../src/heatmap/views/panes.ts";
import { sentenceOf, stillText } from "../src/heatmap/views/words.ts";
import { saidName, saidOf } from "../src/shared/state/album.ts";
import { Host, type Message } from "../src/shared/state/host.ts";
import { StandInModel } from "../src/shared/state/standin.ts";

const view = {
  name: "relevance",
  label: "Relevance",
  map: "r",
  kind: "diverging",
  unit: "",
  filtered: false,
} as const;
const base = { views: [view], filter: null, error: null, streaming: false, classes: true };
const lrp: Method = {
  ...base,
  name: "lrp",
  label: "LRP",
  controls: [{ name: "gamma", label: "γ", type: "float", value: 0.25, min: 0, max: 1 }],
};
const abs: Method = { ...base, name: "abs", label: "absLRP", controls: [] };

let model: StandInModel;
let store: HeatmapStore;

function start(state: Record<string, unknown> = {}): void {
  model = new StandInModel({
    methods: [lrp, abs],
    method: "lrp",
    target: null,
    image: 0,
    images: 3,
    ...state,
  });
  store = new HeatmapStore(new Host(model));
  // There is no canvas in Node: a picture that only has to be there.
  store.pictures.value = new Map([[0, { width: 1, height: 1, canvas: {} as HTMLCanvasElement }]]);
}

/** A result of one pixel, recognisable by its value. */
function answer(value: number, fields: Record<string, unknown> = {}): void {
  const message = {
    type: "maps",
    image: 0,
    method: "lrp",
    target: null,
    against: null,
    parameters: {},
    request: null,
    maps: [{ name: "r", dtype: "float32", shape: [1, 1], range: [value, value] }],
    final: true,
    ...fields,
  };
  model.receive(message, [Float32Array.of(value).buffer]);
}

const shown = (method = lrp) => {
  const { set, current } = store.result({ method });
  return { value: set?.maps.get("r")?.values[0] ?? null, current };
};
const computes = () => model.sent.filter(({ type }) => type === "compute") as (Message & { id: number })[];

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  start();
});

test("a result that Python began by itself is shown", () => {
  answer(1);
  assert.deepEqual(shown(), { value: 1, current: true });
});

test("of several recorded results the one that answers the present state is shown", () => {
  start({ target: 2 });
  for (const target of [1, 2, 3]) answer(target, { target });
  assert.deepEqual(shown(), { value: 2, current: true });
  store.ask({ target: 3 });
  mock.timers.tick(1000);
  assert.deepEqual(shown(), { value: 3, current: true });
  assert.equal(computes().length, 0);
});

test("a parameter slider asks once, when it rests, and writes the state first", () => {
  for (let i = 1; i <= 20; i++) {
    store.setParameter("lrp", "gamma", i / 100);
    mock.timers.tick(50);
  }
  assert.equal(computes().length, 0);
  mock.timers.tick(250);
  assert.equal(computes().length, 1);
  assert.deepEqual(computes()[0]!.parameters, { gamma: 0.2 });
  assert.deepEqual(model.saved.at(-1), { parameters: { lrp: { gamma: 0.2 } } });
});

test("the last good picture stays while the next is computed", () => {
  answer(1);
  store.ask({ target: 3 });
  assert.deepEqual(shown(), { value: 1, current: false });
  mock.timers.tick(0);
  answer(2, { target: 3, request: computes()[0]!.id });
  assert.deepEqual(shown(), { value: 2, current: true });
});

test("a saved page shows the newest result it has for an image, and says that it is another one", () => {
  start({ parameters: { lrp: { gamma: 0.9 } } });
  answer(1, { parameters: { gamma: 0.5 } });
  answer(7, { image: 1 });
  assert.deepEqual(shown(), { value: 1, current: false });
});

test("a late answer does not take the place of the last good picture", () => {
  answer(1);
  assert.deepEqual(shown(), { value: 1, current: true });
  store.ask({ target: 3 });
  mock.timers.tick(0);
  store.ask({ target: 5 });
  mock.timers.tick(0);
  answer(3, { target: 3, request: computes()[0]!.id });
  assert.deepEqual(shown(), { value: 1, current: false });
});

test("answers to older questions are not shown", () => {
  store.ask({ target: 3 });
  mock.timers.tick(0);
  store.ask({ target: 5 });
  mock.timers.tick(0);
  const [first, second] = computes();
  answer(5, { target: 5, request: second!.id });
  answer(3, { target: 3, request: first!.id, final: false });
  assert.deepEqual(shown(), { value: 5, current: true });
  // What came for the older question in full is kept for when one goes back to it.
  answer(3, { target: 3, request: first!.id });
  assert.deepEqual(shown(), { value: 5, current: true });
  store.ask({ target: 3 });
  assert.deepEqual(shown(), { value: 3, current: true });
});

test("a result for another class is not taken for an answer", () => {
  store.ask({ target: 3 });
  mock.timers.tick(0);
  answer(9, { target: 1 });
  assert.deepEqual(shown(), { value: 9, current: false });
});

test("going back to what is known asks nothing", () => {
  answer(1);
  store.ask({ target: 3 });
  mock.timers.tick(0);
  answer(2, { target: 3, request: computes()[0]!.id });
  store.ask({ target: null });
  mock.timers.tick(1000);
  assert.equal(computes().length, 1);
  assert.deepEqual(shown(), { value: 1, current: true });
});

test("comparing asks for one method after the other", () => {
  store.set("show", compare);
  store.requests.askSoon(0);
  mock.timers.tick(0);
  assert.deepEqual(
    computes().map(({ method }) => method),
    ["lrp"],
  );
  answer(1, { request: computes()[0]!.id });
  mock.timers.tick(0);
  assert.deepEqual(
    computes().map(({ method }) => method),
    ["lrp", "abs"],
  );
  answer(2, { method: "abs", request: computes()[1]!.id });
  mock.timers.tick(1000);
  assert.equal(computes().length, 2);
  assert.deepEqual([shown(lrp).value, shown(abs).value], [1, 2]);
});

test("what Python sets is shown, unless the person is changing it", () => {
  model.update("opacity", 0.2);
  assert.equal(store.state.opacity.value, 0.2);
  store.set("opacity", 0.9);
  model.update("opacity", 0.4);
  assert.equal(store.state.opacity.value, 0.9);
  mock.timers.tick(300);
  assert.equal(model.state.opacity, 0.9);
});

test("when Python asks something else, its answer is shown", () => {
  store.ask({ target: 3 });
  mock.timers.tick(0);
  model.update("target", 4);
  answer(4, { target: 4 });
  assert.deepEqual(shown(), { value: 4, current: true });
});

test("a picture that is missing alone is asked for", () => {
  answer(1, { image: 1 });
  store.ask({ image: 1 });
  mock.timers.tick(0);
  assert.equal(computes().length, 1);
});

test("silence is noticed, and an answer ends it", () => {
  store.hello();
  mock.timers.tick(6000);
  assert.equal(store.connection.value, "silent");
  answer(1);
  assert.equal(store.connection.value, "live");
});

test("a kernel that goes away is asked whether it is there, and what it was doing has stopped", () => {
  start({ status: { state: "running", done: 3 } });
  store.hello();
  answer(1);
  assert.ok(store.busy.value);
  assert.ok(store.everLive);
  (model as unknown as { emit: (name: string) => void }).emit("comm_live_update");
  mock.timers.tick(6000);
  assert.equal(store.connection.value, "silent");
  assert.equal(store.progress.value.state, "stopped");
  answer(2);
  assert.ok(store.busy.value);
});

test("a long computation that reports its progress is not silence", () => {
  store.ask({ target: 2 });
  mock.timers.tick(5000);
  model.update("status", { state: "running", done: 1 });
  mock.timers.tick(60_000);
  assert.equal(store.connection.value, "live");
});

test("damaged and unknown messages leave everything as it was", () => {
  const warn = mock.method(console, "warn", () => undefined);
  answer(1);
  answer(2, { maps: [{ name: "r", dtype: "float32", shape: [9, 9], range: [0, 1] }] });
  model.receive({ type: "maps", method: "lrp" }, []);
  model.receive({ type: "something new" }, []);
  answer(3, { method: "no such method" });
  assert.deepEqual(shown(), { value: 1, current: true });
  warn.mock.restore();
});

test("a store that is disposed of listens to nothing and leaves no timer", () => {
  store.hello();
  store.ask({ target: 2 });
  store.dispose();
  assert.equal(model.listenerCount, 0);
  mock.timers.tick(60_000);
  assert.equal(computes().length, 0);
  assert.notEqual(store.connection.value, "silent");
});

test("what is said of a map names what it explains, not what is asked for by now", () => {
  const told = { ...lrp, views: [{ ...view, high: "speaks for {class}", low: "speaks against {class}" }] };
  start({ methods: [told], target: 1, class_names: ["heart", "triangle", "star"] });
  model.receive(
    {
      type: "maps",
      ...{ image: 0, method: "lrp", target: 1, against: null, parameters: {}, request: null, final: true },
      maps: [{ name: "r", dtype: "float32", shape: [1, 2], range: [-1, 1] }],
    },
    [Float32Array.of(-1, 1).buffer],
  );
  const pane = () => panesOf(store)[0] as MapPane;
  const said = () => sentenceOf(store, pane(), contentOf(store, pane())!);
  assert.match(said(), /^Red speaks for triangle/);
  model.update("status", { state: "running" });
  store.ask({ target: 2 });
  assert.match(said(), /^Red speaks for triangle, blue speaks against triangle/);
  assert.equal(stillText(store, pane(), contentOf(store, pane())!), "still: triangle · computing star…");
  model.update("status", { state: "error", message: "it broke" });
  assert.equal(stillText(store, pane(), contentOf(store, pane())!), "still: triangle · no answer for star");
});

test("of a finished result the words are its own; of an array, its numbers alone", () => {
  const told = {
    ...lrp,
    classes: false,
    views: [{ ...view, high: "speaks for {class}", low: "speaks against it" }],
  };
  const arrayView = {
    ...view,
    high: "positive values of the given map",
    low: "negative values",
    given: true,
  };
  const map = {
    ...{
      type: "maps",
      image: 0,
      method: "lrp",
      target: null,
      against: null,
      parameters: {},
      request: null,
      final: true,
    },
    maps: [{ name: "r", dtype: "float32", shape: [1, 2], range: [-1, 1] }],
  };
  const said = (method: object, fields: object) => {
    start({ methods: [method], class_names: ["heart", "triangle", "star"] });
    store.album.know(0, {
      kind: "probability",
      label: null,
      classes: Int32Array.of(2),
      shares: Float32Array.of(0.9),
    });
    model.receive({ ...map, ...fields }, [Float32Array.of(-1, 1).buffer]);
    const pane = panesOf(store)[0] as MapPane;
    return sentenceOf(store, pane, contentOf(store, pane)!);
  };
  assert.match(said(told, { explains: "heart" }), /^Red speaks for heart, blue/);
  assert.equal(
    said({ ...told, views: [arrayView] }, {}),
    "Red: positive values of the given map. Blue: negative values.",
  );
});

test("a map of one value says so", () => {
  const told = { ...lrp, views: [{ ...view, high: "speaks for {class}", low: "speaks against {class}" }] };
  start({ methods: [told] });
  const said = () => {
    const pane = panesOf(store)[0] as MapPane;
    return sentenceOf(store, pane, contentOf(store, pane)!);
  };
  answer(0);
  assert.match(said(), /zero everywhere/);
  answer(2);
  assert.match(said(), /is 2 everywhere/);
});

test("of one probability alone, what is not the class is said so", () => {
  const name = (index: number) => ["cat", "dog"][index]!;
  const [index, share] = saidOf("probability", true, 0, 0.371);
  assert.equal(saidName(index, name), "not cat");
  assert.ok(Math.abs(share - 0.629) < 1e-9);
  assert.deepEqual(saidOf("probability", false, 1, 0.371), [1, 0.371]);
  assert.deepEqual(saidOf("probability", true, 0, 0.7), [0, 0.7]);
  assert.deepEqual(saidOf("value", true, 0, 0.2), [0, 0.2]);
});
