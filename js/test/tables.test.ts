import assert from "node:assert/strict";
import { test } from "node:test";
import { csvText, npyBytes } from "../src/shared/data/tables.ts";

test("CSV quotes what it must, and says what is no number", () => {
  assert.equal(
    csvText([
      ["a", 'say "b, c"'],
      [1.5, Number.NaN],
    ]),
    'a,"say ""b, c"""\r\n1.5,nan\r\n',
  );
});

test("numpy's format: a header of whole 64 bytes, little-endian values", () => {
  const bytes = npyBytes(Float32Array.of(0, 1.5, -2, 3, 4, 5), [2, 3]);
  const view = new DataView(bytes.buffer);
  assert.deepEqual([...bytes.slice(0, 8)], [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  const length = view.getUint16(8, true);
  assert.equal((10 + length) % 64, 0);
  const head = new TextDecoder().decode(bytes.slice(10, 10 + length));
  assert.match(head, /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(2, 3,\), \} *\n$/);
  assert.equal(bytes.length, 10 + length + 24);
  assert.equal(view.getFloat32(10 + length + 4, true), 1.5);
});
