/** Binary data as it comes from Python: one form for every host, float16, and the snapshot blob. */

export type Bytes = Uint8Array<ArrayBuffer>;

/** A map or picture described in JSON, whose numbers travel in a buffer beside it. */
export interface ArrayHeader {
  dtype?: string;
  shape: number[];
}

/**
 * Normalises a buffer: DataView in Jupyter, ArrayBuffer or typed arrays elsewhere, base64 text in hosts
 * without binary messages and in saved pages.
 */
export function toBytes(value: unknown): Bytes {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
  }
  if (typeof value === "string") return fromBase64(value);
  if (value === null || value === undefined) return new Uint8Array(0);
  throw new TypeError(`a buffer must be binary or base64 text, not ${typeof value}`);
}

export function fromBase64(text: string): Bytes {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  const step = 0x8000; // more arguments than this overflow the stack of some browsers
  for (let i = 0; i < bytes.length; i += step) binary += String.fromCharCode(...bytes.subarray(i, i + step));
  return btoa(binary);
}

/** Decodes little-endian numbers; the result is always a fresh Float32Array. */
export function decodeFloats(bytes: Bytes, dtype: string): Float32Array {
  if (dtype === "float32") return new Float32Array(aligned(bytes, 4));
  if (dtype === "float16") return decodeHalf(new Uint16Array(aligned(bytes, 2)));
  throw new TypeError(`maps are float16 or float32, not ${JSON.stringify(dtype)}`);
}

function aligned(bytes: Bytes, size: number): ArrayBuffer {
  const whole = bytes.byteLength - (bytes.byteLength % size);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + whole);
}

let halfTable: Float32Array | undefined;

function decodeHalf(halves: Uint16Array): Float32Array {
  halfTable ??= Float32Array.from({ length: 65536 }, (_, half) => halfToNumber(half));
  const out = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) out[i] = halfTable[halves[i]!]!;
  return out;
}

/** One IEEE 754 half-precision number from its 16 bits. */
export function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The picture and maps that a saved notebook keeps: a JSON header and the buffers it describes. */
export interface Snapshot {
  header: {
    picture?: ArrayHeader & Record<string, unknown>;
    maps?: (ArrayHeader & Record<string, unknown>)[];
  } & Record<string, unknown>;
  buffers: Bytes[];
}

const itemSize: Record<string, number> = { uint8: 1, float16: 2, float32: 4 };

/** Reads the blob; null when it is empty or damaged, because a broken picture must not break the notebook. */
export function parseSnapshot(value: unknown): Snapshot | null {
  return readBlob(value, (header: Snapshot["header"], take) => {
    const described: ArrayHeader[] = [...(header.picture ? [header.picture] : []), ...(header.maps ?? [])];
    const buffers = described.map(({ dtype, shape }) =>
      take(shape.reduce((a, b) => a * b, 1) * (itemSize[dtype ?? "uint8"] ?? 1)),
    );
    return { header, buffers };
  });
}

export interface SavedPacket {
  content: { type: string } & Record<string, unknown>;
  buffers: Bytes[];
}

/** The messages that a saved notebook keeps as one blob; none when it is empty or damaged. */
export function parsePackets(value: unknown): SavedPacket[] {
  type Header = { content: SavedPacket["content"]; sizes: number[] }[];
  const packets = readBlob(value, (header: Header, take) =>
    header.map(({ content, sizes }) => ({ content, buffers: sizes.map(take) })),
  );
  return packets ?? [];
}

/** Reads a JSON header, and after it buffers that begin on multiples of eight bytes; null for an empty or damaged blob. */
function readBlob<Header, Content>(
  value: unknown,
  read: (header: Header, take: (size: number) => Bytes) => Content,
): Content | null {
  try {
    const bytes = toBytes(value);
    if (bytes.byteLength < 4) return null;
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    let offset = 4 + length;
    return read(JSON.parse(new TextDecoder().decode(bytes.subarray(4, offset))), (size) => {
      const start = Math.ceil(offset / 8) * 8;
      offset = start + size;
      if (offset > bytes.byteLength) throw new RangeError("the blob is shorter than its header says");
      return bytes.subarray(start, offset);
    });
  } catch {
    return null;
  }
}
