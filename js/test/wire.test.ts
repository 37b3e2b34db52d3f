import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Bytes,
  decodeFloats,
  fromBase64,
  halfToNumber,
  parseSnapshot,
  toBase64,
  toBytes,
} from "../src/shared/data/wire.ts";

const bytes = (...values: number[]): Bytes => Uint8Array.from(values);

test("every host's form of a buffer becomes the same bytes", () => {
  const source = bytes(9, 1, 2, 3, 4, 9);
  const view = new DataView(source.buffer, 1, 4);
  for (const form of [
    view,
    source.subarray(1, 5),
    source.buffer.slice(1, 5),
    toBase64(source.subarray(1, 5)),
  ]) {
    assert.deepEqual([...toBytes(form)], [1, 2, 3, 4]);
  }
  assert.equal(toBytes(null).length, 0);
  assert.throws(() => toBytes(3), /binary or base64/);
});

test("base64 survives a round trip, also above the argument limit", () => {
  const long = Uint8Array.from({ length: 100_001 }, (_, i) => i % 251);
  assert.deepEqual(fromBase64(toBase64(long)), long);
});

test("half-precision numbers", () => {
  const known: [number, number][] = [
    [0x0000, 0],
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0001, 2 ** -24],
    [0x03ff, (1023 / 1024) * 2 ** -14],
    [0x3555, 0.333251953125],
    [0x7c00, Number.POSITIVE_INFINITY],
    [0xfc00, Number.NEGATIVE_INFINITY],
  ];
  for (const [half, value] of known) assert.equal(halfToNumber(half), value);
  assert.ok(Number.isNaN(halfToNumber(0x7e00)));
});

test("floats decode from any alignment", () => {
  const numbers = Float32Array.of(1.5, -2.25);
  const shifted = new Uint8Array(9);
  shifted.set(new Uint8Array(numbers.buffer), 1);
  assert.deepEqual([...decodeFloats(shifted.subarray(1), "float32")], [1.5, -2.25]);
  assert.deepEqual([...decodeFloats(bytes(0, 0x3c, 0, 0xc0), "float16")], [1, -2]);
  assert.throws(() => decodeFloats(bytes(0, 0), "int8"), /float16 or float32/);
});

function snapshotBlob(header: unknown, buffers: Uint8Array[]): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const parts: number[] = [...new Uint8Array(Uint32Array.of(text.length).buffer), ...text];
  for (const buffer of buffers) {
    while (parts.length % 8) parts.push(0);
    parts.push(...buffer);
  }
  return Uint8Array.from(parts);
}

test("a snapshot gives its picture and maps in order, 8-byte aligned", () => {
  const header = {
    picture: { shape: [1, 3, 1] },
    maps: [
      { name: "a", dtype: "float16", shape: [1, 2] },
      { name: "b", dtype: "float32", shape: [1, 1] },
    ],
  };
  const blob = snapshotBlob(header, [bytes(1, 2, 3), bytes(0, 0x3c, 0, 0xc0), bytes(0, 0, 128, 63)]);
  const snapshot = parseSnapshot(new DataView(blob.buffer));
  assert.deepEqual(snapshot?.header, header);
  assert.deepEqual(
    snapshot?.buffers.map((b) => [...b]),
    [
      [1, 2, 3],
      [0, 0x3c, 0, 0xc0],
      [0, 0, 128, 63],
    ],
  );
});

test("a damaged snapshot is none, not an error", () => {
  const good = snapshotBlob({ picture: { shape: [4, 4, 3] } }, [new Uint8Array(48)]);
  assert.equal(parseSnapshot(good.subarray(0, 40)), null);
  assert.equal(parseSnapshot(new Uint8Array(0)), null);
  assert.equal(parseSnapshot(bytes(255, 255, 255, 255, 1)), null);
  assert.equal(parseSnapshot(null), null);
});
