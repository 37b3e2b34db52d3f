/** Numbers as files that other programs read: CSV, and numpy's own format. */

/** Rows as CSV text; user text is quoted where it has to be. */
export function csvText(rows: readonly (readonly (string | number)[])[]): string {
  return `${rows.map((row) => row.map(quoted).join(",")).join("\r\n")}\r\n`;
}

function quoted(value: string | number): string {
  const text = typeof value === "number" && Number.isNaN(value) ? "nan" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Float32 values, row by row, as `numpy.load` reads them (format 1.0). */
export function npyBytes(values: Float32Array, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const head = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const fixed = 10; // bytes before the header: magic, version, length
  const length = Math.ceil((fixed + head.length + 1) / 64) * 64 - fixed;
  const out = new Uint8Array(fixed + length + values.length * 4);
  out.set([0x93, ...[..."NUMPY"].map((letter) => letter.charCodeAt(0)), 1, 0]);
  const view = new DataView(out.buffer);
  view.setUint16(8, length, true);
  const padded = `${head.padEnd(length - 1)}\n`;
  out.set(new TextEncoder().encode(padded), fixed);
  values.forEach((value, i) => {
    view.setFloat32(fixed + length + i * 4, value, true);
  });
  return out;
}
