/** What Python computed, as the browser keeps it, each filed under what was asked. */
import { decodePicture, HeatMap, type Picture } from "../../shared/data/picture.ts";
import { type Bytes, decodeFloats } from "../../shared/data/wire.ts";
import type {
  Box,
  ClassUse,
  FocusMessage,
  GraphMessage,
  HeatmapMessage,
  Kind,
  RankingMessage,
  ReferenceHeader,
  ReferencesMessage,
  RegionMessage,
  Want,
} from "../types.ts";

/** The image, and the class explained on it. */
export interface Focus {
  picture: Picture;
  map: HeatMap;
  target: number | string;
  score: number;
  probability: number | null;
  cautions: string[];
  /** What the class was held against. */
  against: number | null;
}

/** Relevance and activation of every concept of a layer, by its id. */
export interface Ranking {
  relevance: Float32Array;
  activation: Float32Array;
}

/** Relevance of every concept of a layer inside a box. */
export interface Region {
  box: Box;
  relevance: Float32Array;
}

export interface Graph {
  nodes: GraphMessage["nodes"];
  edges: GraphMessage["edges"];
}

export interface Reference extends Pick<ReferenceHeader, "place" | "sample" | "score" | "target"> {
  picture: Picture | null;
  map: HeatMap | null;
  box: Box | null;
}

export interface References {
  total: number;
  items: Reference[];
  classes: ClassUse[];
}

export interface ResultOf {
  focus: Focus;
  ranking: Ranking;
  heatmap: HeatMap;
  region: Region;
  graph: Graph;
  references: References;
}

/** A text that is equal for equal wants, whatever the order of their fields. */
export function keyOf(want: Want): string {
  return JSON.stringify(Object.entries(want).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function decodeFocus(message: FocusMessage, [picture, map]: Bytes[]): Focus {
  const { target, score, probability, cautions = [], want } = message;
  return {
    picture: decodePicture(message, picture!),
    map: new HeatMap(message.map, map!),
    target,
    score,
    probability,
    cautions,
    against: want.against,
  };
}

export function decodeRanking({ units }: RankingMessage, [relevance, activation]: Bytes[]): Ranking {
  return { relevance: decodeUnits(relevance!, units), activation: decodeUnits(activation!, units) };
}

export function decodeHeatmap({ map }: HeatmapMessage, [values]: Bytes[]): HeatMap {
  return new HeatMap(map, values!);
}

export function decodeRegion({ units, want }: RegionMessage, [values]: Bytes[]): Region {
  return { box: want.box, relevance: decodeUnits(values!, units) };
}

function decodeUnits(bytes: Bytes, units: number): Float32Array {
  const values = decodeFloats(bytes, "float32");
  if (values.length !== units) throw new RangeError(`${values.length} values for ${units} concepts`);
  return values;
}

/** The references so far, with those of a further message. */
export function withReferences(
  before: References | undefined,
  message: ReferencesMessage,
  buffers: Bytes[],
): References {
  const items = new Map((before?.items ?? []).map((item) => [item.place, item]));
  let next = 0;
  for (const { place, sample, score, target, shape, map, box } of message.items) {
    const there = shape !== undefined && map !== undefined;
    items.set(place, {
      place,
      sample,
      score,
      target,
      picture: there ? decodePicture({ shape }, buffers[next++]!) : null,
      map: there ? new HeatMap(map, buffers[next++]!) : null,
      box: box ?? null,
    });
  }
  const sorted = [...items.values()].sort((a, b) => a.place - b.place);
  return { total: message.total, items: sorted, classes: message.classes };
}

/** Keeps the newest results of each kind; what was looked at last goes last. */
export class ResultCache {
  private readonly kinds = new Map<Kind, Map<string, unknown>>();

  constructor(private readonly most: Partial<Record<Kind, number>> = {}) {}

  get<K extends keyof ResultOf>(kind: K, key: string): ResultOf[K] | undefined {
    return this.kinds.get(kind)?.get(key) as ResultOf[K] | undefined;
  }

  put<K extends keyof ResultOf>(kind: K, key: string, result: ResultOf[K]): void {
    const results = this.kinds.get(kind) ?? new Map<string, unknown>();
    this.kinds.set(kind, results);
    results.delete(key);
    results.set(key, result);
    if (results.size > (this.most[kind] ?? 200)) results.delete(results.keys().next().value!);
  }

  entries<K extends keyof ResultOf>(kind: K): [key: string, result: ResultOf[K]][] {
    return [...(this.kinds.get(kind) ?? [])] as [string, ResultOf[K]][];
  }

  clear(): void {
    this.kinds.clear();
  }
}
