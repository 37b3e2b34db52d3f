/** Outlines of the strongest parts of a map: which pixels are among its top shares, and the lines around them. */
import { Distribution } from "./distribution.ts";
import type { HeatMap } from "./picture.ts";
import { smoothed } from "./smooth.ts";

/** Shares of all pixels, the largest first: lines lie inside of each other. */
export const outlined = [0.2, 0.1, 0.05] as const;

export interface Outline {
  share: number;
  /** 1 around positive values, −1 around negative ones. */
  sign: 1 | -1;
  /** An SVG path along the edges of pixels, a pixel being 1 × 1. */
  path: string;
}

const cache = new WeakMap<HeatMap, Outline[]>();

/**
 * Around the pixels whose values are among the largest in size: of maps without signs, the largest. The map is smoothed a
 * little before, by a sixty-fourth of its longer side, as the outlines of single pixels show nothing.
 */
export function outlinesOf(map: HeatMap, signed: boolean): Outline[] {
  let found = cache.get(map);
  if (!found) {
    const { width, height } = map;
    const smooth = smoothed(map.values, width, height, Math.round(Math.max(width, height) / 64));
    const size = signed ? smooth.map(Math.abs) : smooth;
    found = outlined.flatMap((share) => {
      const inside = topShare(size, share);
      return ([1, -1] as const).flatMap((sign) => {
        const path = edges((i) => inside[i]! && (!signed || smooth[i]! < 0 === sign < 0), width, height);
        return path && (signed || sign > 0) ? [{ share, sign, path }] : [];
      });
    });
    cache.set(map, found);
  }
  return found;
}

/** Which values are among the share of the largest; values that equal the last of them are not, as they may be many. */
export function topShare(values: Float32Array, share: number): boolean[] {
  const limit = Distribution.of(values).quantile(1 - share);
  return Array.from(values, (value) => value > limit);
}

/** The closed lines around the pixels that are inside, as an SVG path with the inside on the right. */
export function edges(inside: (index: number) => boolean, width: number, height: number): string {
  const isIn = (x: number, y: number) => x >= 0 && y >= 0 && x < width && y < height && inside(y * width + x);
  // From each corner, the corner where the edge that begins there ends; two where pixels touch at a corner.
  const next = new Map<number, number[]>();
  const corner = (x: number, y: number) => y * (width + 1) + x;
  const add = (from: number, to: number) => next.set(from, [...(next.get(from) ?? []), to]);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!isIn(x, y)) continue;
      if (!isIn(x, y - 1)) add(corner(x, y), corner(x + 1, y));
      if (!isIn(x + 1, y)) add(corner(x + 1, y), corner(x + 1, y + 1));
      if (!isIn(x, y + 1)) add(corner(x + 1, y + 1), corner(x, y + 1));
      if (!isIn(x - 1, y)) add(corner(x, y + 1), corner(x, y));
    }
  }
  let path = "";
  for (const start of next.keys()) {
    while (next.get(start)?.length) path += loop(next, start, width + 1);
  }
  return path;
}

/** Takes one closed line out of the edges; corners on a straight way are left out. */
function loop(next: Map<number, number[]>, start: number, row: number): string {
  let path = "";
  let [at, direction] = [start, 0];
  do {
    const to = next.get(at)!.pop()!;
    if (to - at !== direction) {
      path += `${path ? "L" : "M"}${at % row} ${Math.floor(at / row)}`;
      direction = to - at;
    }
    at = to;
  } while (at !== start);
  return `${path}Z`;
}
