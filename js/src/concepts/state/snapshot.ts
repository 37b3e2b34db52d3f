/** The messages that a saved notebook keeps, in one blob: a JSON header, then the buffers on multiples of eight bytes. */

import { type Bytes, toBytes } from "../../shared/data/wire.ts";
import type { Message } from "../../shared/state/host.ts";

interface Entry {
  content: Message;
  /** Bytes of each buffer. */
  sizes: number[];
}

/** Reads the blob; nothing when it is empty or damaged, because a broken picture must not break the notebook. */
export function messagesOf(value: unknown): { content: Message; buffers: Bytes[] }[] {
  try {
    const bytes = toBytes(value);
    if (bytes.byteLength < 4) return [];
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    const entries = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as Entry[];
    let offset = 4 + length;
    return entries.map(({ content, sizes }) => ({
      content,
      buffers: sizes.map((size) => {
        offset = Math.ceil(offset / 8) * 8;
        if (offset + size > bytes.byteLength) throw new RangeError("the blob is cut off");
        const part = bytes.subarray(offset, offset + size);
        offset += size;
        return part;
      }),
    }));
  } catch {
    return [];
  }
}
