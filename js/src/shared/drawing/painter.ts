/**
 * Turns a map into pixels. The hot path of every slider: everything that does not change while a slider moves
 * (colour index, rank) is worked out before, so that a move costs one comparison and one look-up a pixel.
 */
import { colorTable, overTable, withShare } from "../data/colormaps.ts";
import type { HeatMap } from "../data/picture.ts";

export interface Paint {
  map: HeatMap;
  range: [number, number];
  colormap: string;
  /** The map whose quantile decides what is shown, and the largest quantile shown. */
  filter: HeatMap | null;
  threshold: number;
  mode: "hide" | "fade";
}

/** Whether a map has one value on a scale of its own: its colour would be that of a result, and there is none. */
export function saysNothing({ map, range: [low, high] }: Pick<Paint, "map" | "range">): boolean {
  const { flat } = map;
  return (
    flat === 0 ||
    (flat !== null &&
      (low === high || Math.max(-low, high) === Math.abs(flat)) &&
      (low === high || low === -high))
  );
}

/** The one value of a map that says nothing; null for one that says something. */
export function nothingBut(paint: Pick<Paint, "map" | "range">): number | null {
  return saysNothing(paint) ? paint.map.flat : null;
}

/** Pixels of a map, or the part of the picture beneath that loses its colours to it. */
type Layer = "colours" | "over" | "veil";

const faded = 0.22; // enough to tell the colour, little enough to recede
const everything = 65536; // above every rank
const nothing = new Uint32Array(256);
const veiled = 0.06; // of the range: from here on a picture in colour is grey, as its colours would mix with the value's
const veil = Uint32Array.from({ length: 256 }, (_, i) => {
  const size = (Math.abs(2 * i - 255) - 1) / 254;
  return Math.round(255 * Math.min(1, size / veiled)) * 0x01000001; // the opacity, in either order of bytes
});

/** One map as a canvas of its own resolution; reused for as long as the size stays. */
export class Painter {
  readonly canvas = document.createElement("canvas");
  private readonly context = this.canvas.getContext("2d")!;
  private image: ImageData | null = null;
  private pixels = new Uint32Array(0);
  private indexes = new Uint8Array(0);
  private invalid: number[] = [];
  private indexed: { map: HeatMap; low: number; high: number } | null = null;
  private painted = "";
  private paintedMaps: [HeatMap, HeatMap | null] | null = null;

  /** Paints a layer, "colours" as in a map that stands alone, unless nothing changed since the last time. */
  paint({ map, range, colormap, filter, threshold, mode }: Paint, layer: Layer = "colours"): void {
    const usable = filter && filter.values.length === map.values.length && threshold < 1 ? filter : null;
    const recipe = `${layer} ${range} ${colormap} ${usable ? `${threshold} ${mode}` : "all"}`;
    if (this.painted === recipe && this.paintedMaps?.[0] === map && this.paintedMaps[1] === usable) return;
    this.resize(map.width, map.height);
    this.index(map, range);
    const table = layer === "veil" ? veil : layer === "over" ? overTable(colormap) : colorTable(colormap);
    if (usable) {
      const rest = mode === "fade" ? withShare(table, faded) : nothing;
      this.fillSurest(table, rest, usable.distribution.ranks, cutRank(usable, threshold));
    } else this.fill(table);
    for (const i of this.invalid) this.pixels[i] = 0;
    this.context.putImageData(this.image!, 0, 0);
    this.painted = recipe;
    this.paintedMaps = [map, usable];
  }

  private fill(table: Uint32Array): void {
    const { pixels, indexes } = this;
    for (let i = 0; i < pixels.length; i++) pixels[i] = table[indexes[i]!]!;
  }

  private fillSurest(table: Uint32Array, rest: Uint32Array, ranks: Uint16Array, cut: number): void {
    const { pixels, indexes } = this;
    for (let i = 0; i < pixels.length; i++) {
      const index = indexes[i]!;
      pixels[i] = ranks[i]! <= cut ? table[index]! : rest[index]!;
    }
  }

  private resize(width: number, height: number): void {
    if (this.image?.width === width && this.image.height === height) return;
    this.canvas.width = width;
    this.canvas.height = height;
    this.image = this.context.createImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.indexes = new Uint8Array(width * height);
    this.indexed = null;
  }

  /** Colour indexes for a range; values beyond it take the colour of its end. */
  private index(map: HeatMap, [low, high]: [number, number]): void {
    if (this.indexed?.map === map && this.indexed.low === low && this.indexed.high === high) return;
    this.indexed = { map, low, high };
    this.invalid = [];
    const { values } = map;
    const { indexes } = this;
    const scale = high > low ? 255 / (high - low) : 0;
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      // A range of one value has no low end and no high end: all pixels take the middle colour.
      const index = scale ? (value - low) * scale : 127.5;
      indexes[i] = index <= 0 ? 0 : index >= 255 ? 255 : index + 0.5;
      if (!Number.isFinite(value)) this.invalid.push(i);
    }
  }
}

/** The largest rank that a threshold lets through. */
export function cutRank(filter: HeatMap, threshold: number): number {
  if (threshold >= 1) return everything;
  if (threshold <= 0) return -1;
  const { distribution } = filter;
  return Math.round(distribution.shareBelow(distribution.quantile(threshold)) * 65535);
}
