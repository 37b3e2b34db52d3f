/** One scale for maps that are counted alike, and why others have their own. */
import { computed } from "@preact/signals";
import { aroundZero, HeatMap } from "../../shared/data/picture.ts";
import type { HeatmapState, Method, View } from "../types.ts";
import { type Ask, type Comparison, kindOf } from "./comparison.ts";
import { colorRange, type MapSet } from "./maps.ts";

type Range = [number, number];

/** The part of the widget's store that scales are of. */
interface Scaled {
  readonly comparison: Comparison;
  readonly state: { readonly [K in "scale" | "fixed_range" | "clip"]: { value: HeatmapState[K] } };
  result(ask: Ask): { set: MapSet | null };
}

export class Scales {
  constructor(private readonly store: Scaled) {}

  /** Of what is compared: the range of each group of maps that are counted alike, by the first view of each. */
  private readonly groups = computed<ReadonlyMap<string, Range>>(() => {
    const ranges = new Map<string, Range>();
    for (const ask of this.store.comparison.shown.value) {
      const view = ask.method.views[0];
      const { set } = this.store.result(ask);
      const range = view && set && this.own(view, ask.method, set);
      if (!range) continue;
      const key = group(view, ask.method, set);
      const [low, high] = ranges.get(key) ?? range;
      ranges.set(key, [Math.min(low, range[0]), Math.max(high, range[1])]);
    }
    return ranges;
  });

  /** The values that the colours of a map span. */
  of(view: View, method: Method, set: MapSet): Range {
    const { comparison, state } = this.store;
    const together = comparison.several.value && state.scale.value !== "own";
    return (together && this.groups.value.get(group(view, method, set))) || this.own(view, method, set)!;
  }

  /** How many scales there are. */
  get count(): number {
    return this.groups.value.size;
  }

  private own(view: View, method: Method, set: MapSet): Range | null {
    const { scale, fixed_range, clip } = this.store.state;
    const map = set.maps.get(view.map);
    const settings = { scale: scale.value, fixed_range: fixed_range.value, clip: clip.value };
    return map ? colorRange(view, method, set, map, settings) : null;
  }
}

/** Equal for maps of one kind of method that are counted in one unit. */
function group(view: View, method: Method, set: MapSet): string {
  return JSON.stringify([kindOf(method), view.map, countedIn(view, set)]);
}

/** What a map is counted in: "relevance of the logit". */
export function countedIn({ unit }: View, set: MapSet | null): string {
  return set?.unit ? `${unit} of the ${set.unit}` : unit;
}

const subtracted = new WeakMap<HeatMap, WeakMap<HeatMap, HeatMap>>();

/** One map minus another of its size, worked out once. */
export function difference(one: HeatMap, other: HeatMap): HeatMap {
  const known = subtracted.get(one) ?? new WeakMap<HeatMap, HeatMap>();
  subtracted.set(one, known);
  let made = known.get(other);
  if (!made) {
    const values = one.values.map((value, i) => value - other.values[i]!);
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    const shape: [number, number] = [one.height, one.width];
    const header = { name: "difference", dtype: "float32", shape, range: [low, high] as Range } as const;
    made = new HeatMap(header, new Uint8Array(values.buffer));
    known.set(other, made);
  }
  return made;
}

/** The colours of a difference: zero in the middle, as far as it goes. */
export function differenceRange(map: HeatMap): Range {
  return aroundZero(map.extent);
}
