/** Small pictures of concepts, which come in parts: several a concept, each in its slot. */
import type { Bytes } from "../../shared/data/wire.ts";
import type { TilesMessage } from "../types.ts";

const most = 2000; // tiles kept: some tens of megabytes

export class Tiles {
  /** By source, layer, concept and slot; null where a concept has no such picture. */
  private readonly tiles = new Map<string, ImageData | null>();

  get(source: string, layer: string, concept: number, slot: number): ImageData | null | undefined {
    return this.tiles.get(keyOf(source, layer, concept, slot));
  }

  /** Files the tiles of a message; `sourceOf` says where those of a layer come from. */
  receive({ side, places }: TilesMessage, [bytes]: Bytes[], sourceOf: (layer: string) => string): void {
    const size = side * side * 3;
    let next = 0;
    for (const [layer, concept, slot, there] of places) {
      const part = there ? bytes!.subarray(next, next + size) : null;
      if (there) next += size;
      const key = keyOf(sourceOf(layer), layer, concept, slot);
      this.tiles.delete(key);
      this.tiles.set(key, part && imageOf(part, side));
    }
    for (const oldest of this.tiles.keys()) {
      if (this.tiles.size <= most) break;
      this.tiles.delete(oldest);
    }
  }

  /** Every tile, with where it belongs. */
  *entries(): Iterable<{
    source: string;
    layer: string;
    concept: number;
    slot: number;
    image: ImageData | null;
  }> {
    for (const [key, image] of this.tiles) {
      const [source, layer, concept, slot] = JSON.parse(key) as [string, string, number, number];
      yield { source, layer, concept, slot, image };
    }
  }

  clear(): void {
    this.tiles.clear();
  }
}

function keyOf(source: string, layer: string, concept: number, slot: number): string {
  return JSON.stringify([source, layer, concept, slot]);
}

function imageOf(bytes: Bytes, side: number): ImageData {
  const image = new ImageData(side, side);
  for (let pixel = 0; pixel < side * side; pixel++) {
    for (let c = 0; c < 3; c++) image.data[pixel * 4 + c] = bytes[pixel * 3 + c]!;
    image.data[pixel * 4 + 3] = 255;
  }
  return image;
}
