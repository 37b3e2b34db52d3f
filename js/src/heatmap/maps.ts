/** Pictures and maps as the browser keeps them, and the store of what has already been computed. */
import type { ColorKind } from "../shared/colormaps.ts";
import { Distribution } from "../shared/distribution.ts";
import { type Bytes, decodeFloats } from "../shared/wire.ts";
import type {
  HeatmapState,
  MapHeader,
  MapsMessage,
  Method,
  PictureMessage,
  Question,
  View,
} from "./types.ts";

export interface Picture {
  width: number;
  height: number;
  canvas: HTMLCanvasElement;
}

export function decodePicture({ shape }: Pick<PictureMessage, "shape">, bytes: Bytes): Picture {
  const [height, width, channels] = shape;
  if (bytes.length < width * height * channels)
    throw new RangeError("the picture's buffer is shorter than its shape");
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const from = pixel * channels;
    for (let c = 0; c < 3; c++) image.data[pixel * 4 + c] = bytes[from + (channels === 3 ? c : 0)]!;
    image.data[pixel * 4 + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return { width, height, canvas };
}

export class HeatMap {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly values: Float32Array;
  private readonly range: [number, number];
  private cached: Distribution | undefined;

  constructor(header: MapHeader, bytes: Bytes) {
    this.name = header.name;
    this.range = header.range;
    [this.height, this.width] = header.shape;
    this.values = decodeFloats(bytes, header.dtype);
    if (this.values.length !== this.width * this.height) {
      throw new RangeError(`map ${header.name} has ${this.values.length} values, its shape says otherwise`);
    }
  }

  /** Ranks and quantiles, worked out when first asked for. */
  get distribution(): Distribution {
    this.cached ??= Distribution.of(this.values);
    return this.cached;
  }

  /** Lowest and highest value, as Python said; counted here where it said nothing of use. */
  get extent(): [number, number] {
    const [low, high] = this.range ?? [];
    return Number.isFinite(low) && Number.isFinite(high) ? this.range : this.distribution.extent;
  }

  at(x: number, y: number): number {
    return this.values[y * this.width + x] ?? Number.NaN;
  }
}

/** All maps of one result. */
export interface MapSet {
  maps: ReadonlyMap<string, HeatMap>;
  sharedRange: Record<string, [number, number]>;
  final: boolean;
}

export function decodeMaps(
  message: Pick<MapsMessage, "maps" | "shared_range" | "final">,
  buffers: Bytes[],
): MapSet {
  const maps = new Map<string, HeatMap>();
  message.maps.forEach((header, i) => {
    maps.set(header.name, new HeatMap(header, buffers[i]!));
  });
  return { maps, sharedRange: message.shared_range ?? {}, final: message.final ?? true };
}

/** The value range that the colours span. */
export function colorRange(
  view: View,
  method: Method,
  set: MapSet,
  map: HeatMap,
  state: Pick<HeatmapState, "scale" | "fixed_range" | "clip">,
): [number, number] {
  // A fixed range is in the unit of the method's first map; other maps (its uncertainty) have their own.
  const isMain = view.map === method.views[0]?.map;
  let range: [number, number];
  if (state.scale === "fixed" && state.fixed_range && isMain) return state.fixed_range;
  if (state.scale === "shared" && set.sharedRange[map.name]) range = set.sharedRange[map.name]!;
  else range = clippedRange(map, state.clip, view.kind);
  return view.kind === "diverging" ? aroundZero(range) : range;
}

function clippedRange(map: HeatMap, clip: number, kind: ColorKind): [number, number] {
  // Without clipping no quantiles are needed, which saves time while results stream in.
  if (clip >= 100) return map.extent;
  const { distribution } = map;
  const low = distribution.quantile(1 - clip / 100);
  const high = distribution.quantile(clip / 100);
  // Sparse maps may have all quantiles at zero; clipping them away entirely would show nothing.
  const empty = kind === "diverging" ? low === 0 && high === 0 : low === high;
  return empty ? map.extent : [low, high];
}

/** Diverging colours are centred at zero, so that the neutral colour means none. */
function aroundZero([low, high]: [number, number]): [number, number] {
  const bound = Math.max(Math.abs(low), Math.abs(high)) || 1;
  return [-bound, bound];
}

/** A text that is equal for equal questions; the class counts only for methods that ask about classes. */
export function questionKey(question: Question, usesClasses: boolean): string {
  const parameters = Object.entries(question.parameters).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([
    question.image,
    question.method,
    usesClasses ? question.target : null,
    usesClasses ? question.against : null,
    parameters,
  ]);
}

/** Keeps the latest results within a budget of pixels, so that going back needs no kernel. */
export class MapCache {
  private readonly sets = new Map<string, MapSet>();

  constructor(private readonly budget = 24e6) {}

  get(key: string): MapSet | undefined {
    return this.sets.get(key);
  }

  /** The newest result of a method for an image, whatever else was asked. */
  newest({ image, method }: Pick<Question, "image" | "method">): MapSet | undefined {
    const start = `${JSON.stringify([image, method]).slice(0, -1)},`;
    return [...this.sets].findLast(([key]) => key.startsWith(start))?.[1];
  }

  put(key: string, set: MapSet): void {
    this.sets.delete(key);
    this.sets.set(key, set);
    let total = 0;
    for (const kept of this.sets.values()) total += pixelCount(kept);
    for (const [oldest, kept] of this.sets) {
      if (total <= this.budget || oldest === key) break;
      total -= pixelCount(kept);
      this.sets.delete(oldest);
    }
  }

  clear(): void {
    this.sets.clear();
  }
}

function pixelCount(set: MapSet): number {
  let total = 0;
  for (const map of set.maps.values()) total += map.values.length;
  return total;
}
