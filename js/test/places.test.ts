import assert from "node:assert/strict";
import { test } from "node:test";
import { boxOf, connected, decodePlaces, Regions } from "../src/heatmap/state/places.ts";

const labels = Uint8Array.from([0, 0, 1, 1, 0, 255, 1, 0, 1, 0, 0, 0]); // 4 wide, 3 high

test("places of one class whose sides touch are one part, others are not", () => {
  const parts = connected(labels, 4, 3);
  const groups = new Map<number, number[]>();
  for (const [cell, part] of parts.entries()) groups.set(part, [...(groups.get(part) ?? []), cell]);
  assert.deepEqual(
    [...groups.values()],
    [[0, 1, 4], [2, 3, 6], [5], [7, 9, 10, 11], [8]],
    "a row's end does not touch the next row's beginning",
  );
});

test("a pixel of a larger picture is at a place of the map as in Python", () => {
  const regions = new Regions(labels, 4, 3, { "0": 7 / 12, "1": 4 / 12 });
  const picture = { width: 9, height: 7 };
  for (let y = 0; y < 7; y++) {
    for (let x = 0; x < 9; x++) {
      const label = labels[Math.floor((y * 3) / 7) * 4 + Math.floor((x * 4) / 9)]!;
      assert.equal(regions.classAt(x, y, picture), label === 255 ? null : label);
    }
  }
  assert.deepEqual(regions.classes, [
    { index: 0, share: 7 / 12 },
    { index: 1, share: 4 / 12 },
  ]);
  assert.equal(regions.partAround(8, 0, picture), "M2 0L4 0L4 1L3 1L3 2L2 2Z");
  assert.equal(regions.partAround(0, 6, picture), `${regions.around(1).split("Z").at(-2)!}Z`);
});

test("a message is read whole or refused", () => {
  const message = { type: "places", image: 0, drawn: true, boxes: null } as const;
  assert.deepEqual(decodePlaces({ ...message, regions: null }, []), {
    regions: null,
    boxes: null,
    drawn: true,
  });
  const regions = { shape: [3, 4] as [number, number], shares: {} };
  assert.equal(decodePlaces({ ...message, regions }, [labels]).regions!.width, 4);
  assert.throws(
    () => decodePlaces({ ...message, regions }, [labels.slice(0, 5)]),
    /shorter than their shape/,
  );
});

test("a box holds both of its corners, in any order", () => {
  assert.deepEqual(boxOf({ x: 5, y: 2 }, { x: 1, y: 7 }), [1, 2, 6, 8]);
  assert.deepEqual(boxOf({ x: 3, y: 3 }, { x: 3, y: 3 }), [3, 3, 4, 4]);
});
