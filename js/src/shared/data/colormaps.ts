/** Colour maps as 256-entry tables, all of them safe for colour-blind readers. */
import { rgb } from "d3-color";
import {
  interpolateCividis,
  interpolateGreys,
  interpolateMagma,
  interpolatePuOr,
  interpolateRdBu,
  interpolateViridis,
} from "d3-scale-chromatic";

export type ColorKind = "sequential" | "diverging";

export interface Colormap {
  name: string;
  label: string;
  kind: ColorKind;
}

export const colormaps: readonly Colormap[] = [
  { name: "viridis", label: "Viridis", kind: "sequential" },
  { name: "magma", label: "Magma", kind: "sequential" },
  { name: "cividis", label: "Cividis", kind: "sequential" },
  { name: "greys", label: "Greys", kind: "sequential" },
  { name: "red_blue", label: "Red – blue", kind: "diverging" },
  { name: "purple_orange", label: "Purple – orange", kind: "diverging" },
];

// From the lowest value to the highest: red and orange stand for positive relevance, as the field draws it.
const interpolators: Record<string, (t: number) => string> = {
  viridis: interpolateViridis,
  magma: interpolateMagma,
  cividis: interpolateCividis,
  greys: (t) => interpolateGreys(1 - t),
  red_blue: (t) => interpolateRdBu(1 - t),
  purple_orange: (t) => interpolatePuOr(t),
};

const defaults: Record<ColorKind, string> = { sequential: "viridis", diverging: "red_blue" };

/** The map to draw with: the one asked for when it suits the kind of data, else the kind's default. */
export function fittingColormap(name: string, kind: ColorKind): string {
  return colormaps.some((map) => map.name === name && map.kind === kind) ? name : defaults[kind];
}

const tables = new Map<string, Uint32Array>();
const littleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** 256 opaque colours, packed as the Uint32 view of ImageData wants them. */
export function colorTable(name: string): Uint32Array {
  let table = tables.get(name);
  if (!table) {
    table = Uint32Array.from({ length: 256 }, (_, i) => pack(colorAt(name, i / 255)));
    tables.set(name, table);
  }
  return table;
}

/** The colour at t in [0, 1] as CSS text. */
export function cssColor(name: string, t: number): string {
  const [r, g, b] = colorAt(name, t);
  return `rgb(${r}, ${g}, ${b})`;
}

/** A CSS gradient from the lowest to the highest value, for legends. */
export function cssGradient(name: string, direction = "to right"): string {
  const stops = Array.from({ length: 17 }, (_, i) => cssColor(name, i / 16));
  return `linear-gradient(${direction}, ${stops.join(", ")})`;
}

function colorAt(name: string, t: number): [number, number, number] {
  const { r, g, b } = rgb((interpolators[name] ?? interpolators.viridis!)(t));
  return [Math.round(r), Math.round(g), Math.round(b)];
}

function pack([r, g, b]: [number, number, number]): number {
  return (
    (littleEndian ? (255 << 24) | (b << 16) | (g << 8) | r : (r << 24) | (g << 16) | (b << 8) | 255) >>> 0
  );
}

/** Puts another opacity, 0..255, on a packed colour table; used where pixels fade. */
export function withAlpha(table: Uint32Array, alpha: number): Uint32Array {
  return table.map(
    (color) => (littleEndian ? (color & 0xffffff) | (alpha << 24) : (color & ~0xff) | alpha) >>> 0,
  );
}
