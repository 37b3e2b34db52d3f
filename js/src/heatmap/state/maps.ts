/** All maps of a result, and the store of what has already been computed. */
import type { ColorKind } from "../../shared/data/colormaps.ts";
import { aroundZero, HeatMap } from "../../shared/data/picture.ts";
import type { Bytes } from "../../shared/data/wire.ts";
import type { HeatmapState, MapsMessage, Method, Note, Question, View } from "../types.ts";

/** All maps of one result. */
export interface MapSet {
  /** What it answers, which need not be the present question. */
  question: Question | null;
  maps: ReadonlyMap<string, HeatMap>;
  sharedRange: Record<string, [number, number]>;
  notes: Note[];
  /** What the score explained is counted in; maps of one unit may share a scale. */
  unit: string;
  /** Of a finished result: the class or target that it says it explains; "" of answers to a question. */
  explains: string;
  /** Why there are no maps. */
  refused: string;
  final: boolean;
}

export function decodeMaps(
  message: Pick<MapsMessage, "maps" | "shared_range" | "notes" | "unit" | "explains" | "refused" | "final">,
  buffers: Bytes[],
): MapSet {
  const maps = new Map<string, HeatMap>();
  message.maps.forEach((header, i) => {
    maps.set(header.name, new HeatMap(header, buffers[i]!));
  });
  const { shared_range = {}, notes = [], unit = "", explains = "", refused = "", final = true } = message;
  return { question: null, maps, sharedRange: shared_range, notes, unit, explains, refused, final };
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

/** The question that such a text stands for. */
function questionOf(key: string): Question {
  const [image, method, target, against, parameters] = JSON.parse(key) as [
    number,
    string,
    number | null,
    number | null,
    [string, Question["parameters"][string]][],
  ];
  return { image, method, target, against, parameters: Object.fromEntries(parameters) };
}

/** Keeps the latest results within a budget of pixels, so that going back needs no kernel. */
export class MapCache {
  private readonly sets = new Map<string, MapSet>();

  constructor(private readonly budget = 24e6) {}

  /** Every result that is kept, with the question that it answers. */
  get all(): [Question, MapSet][] {
    return [...this.sets].map(([key, set]) => [questionOf(key), set]);
  }

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

  /** Whether so many results like those that are here can be kept at once. */
  fits(count: number): boolean {
    let total = 0;
    for (const kept of this.sets.values()) total += pixelCount(kept);
    return (total / Math.max(1, this.sets.size)) * count <= this.budget;
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
