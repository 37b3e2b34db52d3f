import assert from "node:assert/strict";
import { test } from "node:test";
import { HeatmapStore } from "../src/heatmap/state/store.ts";
import { toBase64 } from "../src/shared/data/wire.ts";
import { anywidgetDoor } from "../src/shared/page/door.ts";
import { StandInModel } from "../src/shared/state/standin.ts";

/** Buffers as hosts hand them over: Jupyter, Colab, others, places without binary messages. */
const shapes: Record<string, (bytes: Uint8Array<ArrayBuffer>) => unknown> = {
  DataView: (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  Uint8Array: (bytes) => bytes,
  // Of an odd place in a larger message, as a socket delivers it.
  "part of a message": (bytes) => {
    const message = new Uint8Array(bytes.length + 9);
    message.set(bytes, 3);
    return message.subarray(3, 3 + bytes.length);
  },
  ArrayBuffer: (bytes) => bytes.buffer,
  base64: (bytes) => toBase64(bytes),
};

const method = {
  name: "lrp",
  label: "LRP",
  views: [{ name: "relevance", label: "R", map: "r", kind: "diverging", unit: "", filtered: false }],
  filter: null,
  error: null,
  streaming: false,
  classes: true,
  controls: [],
};

/** What a host does: it opens the widget, and hands over messages. */
function opened(snapshot: unknown) {
  const model = new StandInModel({ methods: [method], method: "lrp", image: 0, images: 1, snapshot });
  let store: HeatmapStore | undefined;
  const widget = anywidgetDoor(
    (host, options) => {
      store = new HeatmapStore(host, options);
      return store;
    },
    () => () => undefined,
  )();
  const close = widget.initialize({ model });
  assert.ok(store);
  return { model, store, close };
}

const value = (store: HeatmapStore) => {
  const { set } = store.result({ method: store.method.value! });
  return set?.maps.get("r")?.values[0] ?? null;
};
const maps = {
  type: "maps",
  image: 0,
  method: "lrp",
  target: null,
  against: null,
  parameters: {},
  request: null,
  maps: [{ name: "r", dtype: "float32", shape: [1, 1], range: [0.5, 0.5] }],
  final: true,
};

for (const [shape, made] of Object.entries(shapes))
  test(`an answer whose buffer is ${shape} is read through the door`, () => {
    const { model, store, close } = opened(made(new Uint8Array(0)));
    model.receive(maps, [made(new Uint8Array(Float32Array.of(0.5).buffer))]);
    assert.equal(value(store), 0.5);
    close();
    assert.equal(model.listenerCount, 0);
  });

for (const lost of [undefined, null, {}, []])
  test(`a widget whose buffers were lost on the way (${JSON.stringify(lost)}) opens, and is told later`, () => {
    const { model, store, close } = opened(lost);
    assert.equal(value(store), null);
    model.receive(maps, []);
    assert.equal(value(store), null, "an answer without its numbers is none");
    model.receive(maps, [Float32Array.of(0.5).buffer]);
    assert.equal(value(store), 0.5);
    close();
  });

test("a buffer of no known kind takes nothing down", () => {
  const { model, store, close } = opened(null);
  model.receive(maps, [Float32Array.of(0.25).buffer]);
  model.receive(maps, [{ 0: 1 }]);
  assert.equal(value(store), 0.25, "the last good picture stays");
  close();
});
