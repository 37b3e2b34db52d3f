/** The order in which a method flips an image's patches, and the heatmap that it comes from. */
import { HeatMap } from "../../shared/data/picture.ts";
import type { Bytes } from "../../shared/data/wire.ts";
import type { CurveOrder, MapMessage, Patch } from "../types.ts";

export class PatchOrder {
  /** 0 for the most relevant patch, row by row. */
  readonly ranks: Int32Array;
  readonly heat: HeatMap | null;

  constructor(
    readonly header: MapMessage,
    private readonly buffers: readonly Bytes[],
  ) {
    const [ranks, heat] = buffers;
    if (!ranks) throw new RangeError("an order of patches came without its ranks");
    this.ranks = new Int32Array(ranks.slice().buffer);
    this.heat = header.map && heat ? new HeatMap(header.map, heat) : null;
  }

  /** The step that flips a patch; null when no step does. */
  stepOf(patch: number, order: CurveOrder, counts: readonly number[]): number | null {
    const rank = this.place(patch, order);
    const step = counts.findIndex((count) => rank < count);
    return step < 0 ? null : step;
  }

  /** Patches that are flipped after one step and not yet after another one. */
  flippedBetween(before: number, after: number, order: CurveOrder, counts: readonly number[]): number[] {
    const [from, to] = [counts[before] ?? 0, counts[after] ?? 0];
    const found: number[] = [];
    for (let patch = 0; patch < this.ranks.length; patch++) {
      const rank = this.place(patch, order);
      if (rank >= from && rank < to) found.push(patch);
    }
    return found;
  }

  recorded(): { content: MapMessage; buffers: readonly Bytes[] } {
    return { content: this.header, buffers: this.buffers };
  }

  private place(patch: number, order: CurveOrder): number {
    const rank = this.ranks[patch]!;
    return order === "lerf" ? this.ranks.length - 1 - rank : rank;
  }
}

/** A patch's box in pixels of the image; those at the lower and right edge may be smaller. */
export function boxOf(
  index: number,
  { height, width, patch }: { height: number; width: number; patch: number },
): { x: number; y: number; width: number; height: number } {
  const columns = Math.ceil(width / patch);
  const x = (index % columns) * patch;
  const y = Math.floor(index / columns) * patch;
  return { x, y, width: Math.min(patch, width - x), height: Math.min(patch, height - y) };
}

export function indexOf({ row, column }: Patch, columns: number): number {
  return row * columns + column;
}
