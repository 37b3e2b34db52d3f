import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { ranked, shares, strongest } from "../src/concepts/state/ranked.ts";
import { keyOf } from "../src/concepts/state/results.ts";
import { ConceptsStore } from "../src/concepts/state/store.ts";
import { boxBetween, boxKey, dragged, gripAt, whole } from "../src/concepts/views/boxes.ts";
import { layoutGraph } from "../src/concepts/views/graph-layout.ts";
import { parsePackets } from "../src/shared/data/wire.ts";
import { Host, type Message } from "../src/shared/state/host.ts";
import { StandInModel } from "../src/shared/state/standin.ts";

const size = { width: 64, height: 48 };
const numbers = (...values: number[]) => Float32Array.of(...values);
const isClose = (a: number | undefined, b: number) =>
  assert.ok(Math.abs((a ?? Number.NaN) - b) < 1e-6, `${a} is not ${b}`);

test("shares are signed and their magnitudes add up to one", () => {
  const found = shares(numbers(3, -1, 0));
  isClose(found[0], 0.75);
  isClose(found[1], -0.25);
  assert.deepEqual([...shares(numbers(0, 0))], [0, 0]);
});

test("the largest magnitude comes first, equal ones by number; a box changes order and keeps the whole beside it", () => {
  const ranking = { relevance: numbers(1, -4, 1, 2), activation: numbers(9, 0, -10, 1) };
  assert.deepEqual(
    ranked(ranking, null, "relevance").map(({ concept }) => concept),
    [1, 3, 0, 2],
  );
  assert.deepEqual(
    ranked(ranking, null, "activation").map(({ concept }) => concept),
    [2, 0, 3, 1],
  );
  const inside = ranked(ranking, { box: [0, 0, 1, 1], relevance: numbers(0, 0, 3, -1) }, "activation");
  assert.deepEqual(
    inside.map(({ concept }) => concept),
    [2, 3, 0, 1],
  );
  isClose(inside[0]!.value, 0.75);
  isClose(inside[0]!.whole!, 0.125);
  assert.equal(strongest(ranking), 1);
});

test("a box is whole pixels inside the image, whatever the corners", () => {
  assert.deepEqual(boxBetween([10.2, 5.9], [3.7, 20.1], size), [3, 5, 11, 21]);
  assert.deepEqual(boxBetween([-9, -9], [900, 900], size), [0, 0, 64, 48]);
  assert.deepEqual(boxBetween([64, 48], [64, 48], size), [63, 47, 64, 48], "never empty");
});

test("a box moves as a whole and stops at the edges; sides stop at each other", () => {
  assert.deepEqual(dragged([10, 10, 20, 20], whole, 5, -100, size), [15, 0, 25, 10]);
  const left = { left: true, top: false, right: false, bottom: false };
  assert.deepEqual(dragged([10, 10, 20, 20], left, 50, 7, size), [19, 10, 20, 20]);
  const corner = { left: false, top: false, right: true, bottom: true };
  assert.deepEqual(dragged([10, 10, 20, 20], corner, 500, -50, size), [10, 10, 64, 11]);
});

test("what the pointer takes hold of", () => {
  assert.equal(gripAt([10, 10, 30, 30], 50, 20, 3), null);
  assert.equal(gripAt([10, 10, 30, 30], 20, 20, 3), whole);
  assert.deepEqual(gripAt([10, 10, 30, 30], 11, 29, 3), {
    left: true,
    top: false,
    right: false,
    bottom: true,
  });
});

test("keys make, move, resize and clear a box; other keys are not taken", () => {
  const key = (name: string, shiftKey = false) => ({ key: name, shiftKey });
  const made = boxKey(key("Enter"), null, size)!;
  assert.deepEqual(made, [22, 16, 42, 32]);
  assert.deepEqual(boxKey(key("ArrowRight"), made, size), [24, 16, 44, 32]);
  assert.deepEqual(boxKey(key("ArrowDown", true), made, size), [22, 16, 42, 34]);
  assert.equal(boxKey(key("Escape"), made, size), null);
  assert.equal(boxKey(key("Escape"), null, size), undefined);
  assert.equal(boxKey(key("a"), made, size), undefined);
});

const graph = {
  nodes: [
    { layer: "b", concept: 1, relevance: 4, share: 0.5 },
    { layer: "a", concept: 2, relevance: 3, share: 0.7 },
    { layer: "a", concept: 3, relevance: -1, share: -0.3 },
  ],
  edges: [
    { source: 0, target: 1, relevance: 3 },
    { source: 0, target: 2, relevance: -1 },
  ],
};

test("widths of links are relevance on one scale, and columns go from the class down", () => {
  const { nodes, links } = layoutGraph(graph, { width: 900, card: 160, name: 100 });
  const width = (index: number) => links.find((link) => link.index === index)!.width;
  isClose(width(0) / width(1), 3);
  isClose(width(-1) / width(0), 4 / 3);
  const x = (index: number) => nodes.find((node) => node.index === index)!.x0;
  assert.ok(x(-1) < x(0) && x(0) < x(1) && x(1) === x(2));
  assert.ok(Math.max(...nodes.map(({ x1 }) => x1)) <= 900.001);
});

test("cards of a column do not overlap", () => {
  const many = {
    nodes: [
      graph.nodes[0]!,
      ...Array.from({ length: 9 }, (_, i) => ({ layer: "a", concept: i, relevance: i ? 1e-9 : 4, share: 0 })),
    ],
    edges: Array.from({ length: 9 }, (_, i) => ({ source: 0, target: i + 1, relevance: i ? 1e-9 : 4 })),
  };
  const { nodes, height } = layoutGraph(many, { width: 600, card: 104, name: 64 });
  const middles = nodes
    .filter(({ index }) => index > 0)
    .map(({ y0, y1 }) => (y0 + y1) / 2)
    .sort((a, b) => a - b);
  for (let i = 1; i < middles.length; i++) assert.ok(middles[i]! - middles[i - 1]! >= 46, `${middles}`);
  assert.ok(middles[0]! >= 20 && middles.at(-1)! <= height - 20);
  assert.deepEqual(layoutGraph({ nodes: [], edges: [] }, { width: 600, card: 104, name: 64 }).nodes, []);
});

test("a damaged snapshot is none", () => {
  const text = new TextEncoder().encode(JSON.stringify([{ content: { type: "graph" }, sizes: [4] }]));
  const blob = new Uint8Array(4 + text.length + 16);
  new DataView(blob.buffer).setUint32(0, text.length, true);
  blob.set(text, 4);
  assert.equal(parsePackets(blob)[0]?.buffers[0]?.length, 4);
  assert.deepEqual(parsePackets(blob.slice(0, 4 + text.length)), []);
  assert.deepEqual(parsePackets("%%%"), []);
  assert.deepEqual(parsePackets(null), []);
});

// -- what is asked of Python ---------------------------------------------------------------------------------------

let model: StandInModel;
let store: ConceptsStore;
const layers = [
  { name: "low", units: 4, kind: "channel", indexed: true },
  { name: "high", units: 3, kind: "channel", indexed: false },
];
const question = { image: 0, target: null, against: null };

function start(state: Record<string, unknown> = {}): void {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  model = new StandInModel({ layers, layer: "low", images: 2, ...state });
  store = new ConceptsStore(new Host(model));
  store.hello();
}

const asks = (kind?: string) =>
  model.sent
    .filter(({ type }) => type === "ask")
    .map((m) => (m as Message & { want: { kind: string } }).want)
    .filter((w) => !kind || w.kind === kind);
const ids = (kind: string) =>
  model.sent
    .filter((m) => (m.want as { kind: string } | undefined)?.kind === kind)
    .map(({ id }) => id as number);

function answerRanking(relevance: Float32Array, want: Record<string, unknown> = {}): void {
  const asked = { kind: "ranking", ...question, layer: "low", ...want };
  const content = { type: "ranking", want: asked, request: null, units: relevance.length };
  model.receive(content, [relevance.buffer, new Float32Array(relevance.length).buffer]);
}

function answerRegion(box: number[], request: number, relevance = numbers(0, 0, 0, 1)): void {
  const want = { kind: "region", ...question, layer: "low", box };
  model.receive({ type: "region", want, request, units: relevance.length }, [relevance.buffer]);
}

beforeEach(() => start());

test("nothing is asked before Python says welcome; then what is on screen, once", () => {
  assert.deepEqual(
    model.sent.map(({ type }) => type),
    ["ready"],
  );
  model.receive({ type: "welcome" });
  assert.deepEqual(
    asks().map(({ kind }) => kind),
    ["focus", "ranking"],
  );
  answerRanking(numbers(1, -5, 2, 0));
  assert.equal(store.concept.value, 1, "the strongest, for or against");
  assert.deepEqual(
    asks().map(({ kind }) => kind),
    ["focus", "ranking", "heatmap", "references", "graph"],
  );
  answerRanking(numbers(1, -5, 2, 0));
  assert.equal(asks().length, 5);
});

test("a layer that the index does not cover has no references", () => {
  start({ layer: "high" });
  model.receive({ type: "welcome" });
  answerRanking(numbers(1, 2, 3), { layer: "high" });
  assert.deepEqual(
    asks().map(({ kind }) => kind),
    ["focus", "ranking", "heatmap", "graph"],
  );
  assert.equal(store.slots("low"), 3);
  assert.equal(store.slots("high"), 1);
});

test("while a box is dragged one question is under way, and then the newest is asked", () => {
  model.receive({ type: "welcome" });
  answerRanking(numbers(4, 3, 2, 1));
  for (let step = 1; step <= 9; step++) store.set("box", [0, 0, step, step]);
  assert.deepEqual(
    asks("region").map((want) => (want as { box?: unknown }).box),
    [[0, 0, 1, 1]],
  );
  answerRegion([0, 0, 1, 1], ids("region")[0]!);
  assert.deepEqual(asks("region").at(-1), { kind: "region", ...question, layer: "low", box: [0, 0, 9, 9] });
  assert.equal(asks("region").length, 2);
  assert.deepEqual(
    store.list.value.map(({ concept }) => concept),
    [3, 0, 1, 2],
    "ranked by the last answer",
  );
  assert.equal(store.region.value.current, false);
  answerRegion([0, 0, 9, 9], ids("region")[1]!, numbers(0, 1, 0, 0));
  assert.equal(store.region.value.current, true);
  assert.equal(store.list.value[0]!.concept, 1);
  store.set("box", null);
  assert.equal(store.list.value[0]!.concept, 0);
});

test("a box that is never answered is asked again", () => {
  model.receive({ type: "welcome" });
  store.set("box", [0, 0, 1, 1]);
  store.set("box", [0, 0, 2, 2]);
  mock.timers.tick(3100);
  assert.deepEqual(
    asks("region").map((want) => (want as { box?: unknown }).box),
    [
      [0, 0, 1, 1],
      [0, 0, 2, 2],
    ],
  );
});

test("small pictures: asked for after a rest, not while a gesture lasts, and not twice", () => {
  model.receive({ type: "welcome" });
  store.committer.begin();
  answerRanking(numbers(4, 3, 2, 1));
  mock.timers.tick(500);
  assert.equal(asks("tiles").length, 0);
  store.committer.end();
  mock.timers.tick(500);
  assert.deepEqual((asks("tiles")[0] as { concepts?: unknown }).concepts, [
    ["low", 0],
    ["low", 1],
    ["low", 2],
    ["low", 3],
  ]);
  const places = [
    ["low", 0, 0, false],
    ["low", 0, 1, false],
    ["low", 0, 2, false],
  ];
  model.receive({ type: "tiles", want: { ...asks("tiles")[0] }, request: null, side: 1, places }, [
    new Uint8Array(0),
  ]);
  mock.timers.tick(500);
  assert.equal(asks("tiles").length, 1, "the rest is on its way");
  assert.equal(store.tile("low", 0, 0), null);
  assert.equal(store.tile("low", 1, 0), undefined);
});

test("walking down keeps the way back, choosing elsewhere forgets it", () => {
  model.receive({ type: "welcome" });
  answerRanking(numbers(4, 3, 2, 1));
  store.go("low", 2);
  store.walkDown("high", 1);
  store.walkDown("low", 3);
  assert.deepEqual(store.state.trail.value, [
    ["low", 2],
    ["high", 1],
  ]);
  store.walkUp();
  assert.deepEqual(
    [store.state.layer.value, store.state.concept.value, store.state.trail.value],
    ["high", 1, [["low", 2]]],
  );
  store.walkUp(0);
  assert.deepEqual(
    [store.state.layer.value, store.state.concept.value, store.state.trail.value],
    ["low", 2, []],
  );
  store.walkDown("high", 0);
  store.go("high", 2);
  assert.deepEqual(store.state.trail.value, []);
});

test("a name is shown at once and told to Python; an empty one is taken away", () => {
  store.names.rename({ layer: "low", concept: 2, name: "<b>x</b>", note: "" });
  assert.equal(store.names.nameOf("low", 2), "<b>x</b>");
  assert.deepEqual(model.sent.at(-1), {
    type: "label",
    layer: "low",
    concept: 2,
    name: "<b>x</b>",
    note: "",
  });
  const sent = model.sent.length;
  store.names.rename({ layer: "low", concept: 2, name: "<b>x</b>", note: "" });
  assert.equal(model.sent.length, sent, "nothing new");
  store.names.rename({ layer: "low", concept: 2, name: "", note: "" });
  assert.equal(store.names.nameOf("low", 2), "channel 2");
  // The way back from the last change, and back again.
  assert.equal(store.names.before("low", 1), null);
  store.names.rename(store.names.before("low", 2)!);
  assert.equal(store.names.nameOf("low", 2), "<b>x</b>");
  assert.equal(store.names.before("low", 2)?.name, "");
});

test("a new kernel is asked for everything again", () => {
  model.receive({ type: "welcome" });
  const before = asks().length;
  (model as unknown as { emit(name: string): void }).emit("comm_live_update");
  assert.equal(model.sent.at(-1)?.type, "ready");
  model.receive({ type: "welcome" });
  assert.equal(asks().length, before * 2);
});

test("equal wants have equal keys, whatever the order of their fields", () => {
  assert.equal(
    keyOf({ kind: "focus", image: 1, target: 2, against: null }),
    keyOf({ against: null, target: 2, image: 1, kind: "focus" }),
  );
});
