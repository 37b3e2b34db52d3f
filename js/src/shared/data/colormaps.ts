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

function pack([r, g, b]: [number, number, number], a = 255): number {
  return (littleEndian ? (a << 24) | (b << 16) | (g << 8) | r : (r << 24) | (g << 16) | (b << 8) | a) >>> 0;
}

/** The same colours with a share of their opacity; used where pixels fade. */
export function withShare(table: Uint32Array, share: number): Uint32Array {
  return table.map((color) => {
    const alpha = Math.round((littleEndian ? color >>> 24 : color & 0xff) * share);
    return (littleEndian ? (color & 0xffffff) | (alpha << 24) : (color & ~0xff) | alpha) >>> 0;
  });
}

export function isSigned(name: string): boolean {
  return colormaps.some((map) => map.name === name && map.kind === "diverging");
}

/**
 * How a signed value lies over a picture, for t in [0, 1] with zero in the middle: the larger it is, the more it covers.
 * The neutral colour of a diverging map would cover the picture where there is nothing to say, and the picture's own
 * shade would pass for a value.
 */
function overAt(name: string, t: number): { color: [number, number, number]; alpha: number } {
  if (!isSigned(name)) return { color: colorAt(name, t), alpha: 1 };
  // Of 256 steps the two in the middle are both zero.
  const size = Math.max(0, (Math.abs(2 * t - 1) * 255 - 1) / 254);
  const hue = t < 0.5 ? 0.2 - 0.1 * size : 0.8 + 0.1 * size;
  return { color: colorAt(name, hue), alpha: size ** 0.65 };
}

const overTables = new Map<string, Uint32Array>();

/** 256 colours to lay over a picture: of signed maps the opacity rises with the value's size, others cover evenly. */
export function overTable(name: string): Uint32Array {
  if (!isSigned(name)) return colorTable(name);
  let table = overTables.get(name);
  if (!table) {
    table = Uint32Array.from({ length: 256 }, (_, i) => {
      const { color, alpha } = overAt(name, i / 255);
      return pack(color, Math.round(255 * alpha));
    });
    overTables.set(name, table);
  }
  return table;
}

/** The same as a CSS gradient; what shines through stands behind it. */
export function cssOverGradient(name: string, opacity: number): string {
  const stops = Array.from({ length: 33 }, (_, i) => {
    const t = i / 32;
    const { color, alpha } = overAt(name, t);
    return `rgb(${color.join(" ")} / ${(alpha * opacity).toFixed(3)})`;
  });
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

/** The colour over a ground of one grey, as CSS text: what a legend on paper shows. */
export function cssOver(name: string, t: number, opacity: number, ground = legendGround): string {
  const { color, alpha } = overAt(name, t);
  const mixed = color.map((channel) => Math.round(ground + (channel - ground) * alpha * opacity));
  return `rgb(${mixed.join(", ")})`;
}

/** Of a legend's ground: the middle grey of a picture. */
export const legendGround = 164;
