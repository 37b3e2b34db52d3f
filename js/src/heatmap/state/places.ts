/** What a model finds in an image, to be pointed at: the class predicted at each place, the boxes of a detector. */
import { edges } from "../../shared/data/outlines.ts";
import type { Bytes } from "../../shared/data/wire.ts";
import type { Box, FoundBox, PlacesMessage } from "../types.ts";

/** What a person points at, as Python is told. */
export type Pointed = { point: [number, number] } | { box: Box } | { found: number };

export interface Size {
  width: number;
  height: number;
}

export interface Places {
  regions: Regions | null;
  /** The surest first; null where the model finds no boxes. */
  boxes: readonly FoundBox[] | null;
  /** Whether a box can be drawn. */
  drawn: boolean;
}

const nothing = 255;

/** The class predicted at each place of a map, and the connected parts that follow from it. */
export class Regions implements Size {
  /** Classes that are predicted somewhere, the largest first, with their share of the map. */
  readonly classes: readonly { index: number; share: number }[];

  private parts: Int32Array | null = null;
  private readonly paths = new Map<string, string>();

  constructor(
    readonly labels: Uint8Array,
    readonly width: number,
    readonly height: number,
    readonly shares: Readonly<Record<string, number>>,
  ) {
    this.classes = Object.entries(shares)
      .map(([index, share]) => ({ index: Number(index), share }))
      .sort((a, b) => b.share - a.share);
  }

  /** The class predicted at a pixel of a picture; null where none is. */
  classAt(x: number, y: number, picture: Size): number | null {
    const label = this.labels[this.cell(x, y, picture)]!;
    return label === nothing ? null : label;
  }

  /** The lines around everything of a class. */
  around(index: number): string {
    return this.remembered(`class ${index}`, () =>
      edges((cell) => this.labels[cell] === index, this.width, this.height),
    );
  }

  /** The line around the connected part that holds a pixel of a picture, sides touching. */
  partAround(x: number, y: number, picture: Size): string {
    this.parts ??= connected(this.labels, this.width, this.height);
    const { parts } = this;
    const part = parts[this.cell(x, y, picture)]!;
    return this.remembered(`part ${part}`, () =>
      edges((cell) => parts[cell] === part, this.width, this.height),
    );
  }

  private cell(x: number, y: number, picture: Size): number {
    const row = Math.floor((y * this.height) / picture.height);
    return row * this.width + Math.floor((x * this.width) / picture.width);
  }

  private remembered(key: string, make: () => string): string {
    const known = this.paths.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.paths.set(key, made);
    return made;
  }
}

/** A number for each place, the same for places of one class whose sides touch, directly or by others. */
export function connected(labels: Uint8Array, width: number, height: number): Int32Array {
  const parts = new Int32Array(width * height).fill(-1);
  const waiting: number[] = [];
  for (let start = 0; start < parts.length; start++) {
    if (parts[start] !== -1) continue;
    parts[start] = start;
    waiting.push(start);
    while (waiting.length) {
      const cell = waiting.pop()!;
      const x = cell % width;
      const beside = [x > 0 ? cell - 1 : -1, x < width - 1 ? cell + 1 : -1, cell - width, cell + width];
      for (const next of beside) {
        if (next < 0 || next >= parts.length || parts[next] !== -1 || labels[next] !== labels[cell]) continue;
        parts[next] = start;
        waiting.push(next);
      }
    }
  }
  return parts;
}

export function decodePlaces({ regions, boxes, drawn }: PlacesMessage, [bytes]: Bytes[]): Places {
  if (!regions) return { regions: null, boxes, drawn };
  const [height, width] = regions.shape;
  if (!bytes || bytes.length < width * height)
    throw new RangeError("the regions are shorter than their shape");
  return {
    regions: new Regions(bytes.slice(0, width * height), width, height, regions.shares),
    boxes,
    drawn,
  };
}

/** The box between two pixels in any order, both inside. */
export function boxOf(a: { x: number; y: number }, b: { x: number; y: number }): Box {
  return [Math.min(a.x, b.x), Math.min(a.y, b.y), Math.max(a.x, b.x) + 1, Math.max(a.y, b.y) + 1];
}
