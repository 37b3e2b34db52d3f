/** A layer in place of the pixels' map: what is drawn of it, and what is said of it. */
import { formatPercent } from "../../shared/data/format.ts";
import type { HeatMap } from "../../shared/data/picture.ts";
import { type Layer, upsampled } from "../state/depth.ts";
import { colorRange, type MapSet } from "../state/maps.ts";
import type { HeatmapStore } from "../state/store.ts";
import type { Method, Question, View } from "../types.ts";

export interface LayerPaint {
  layer: Layer;
  /** On the pixels of the picture. */
  map: HeatMap;
  range: [number, number];
}

/** The layer that is shown in place of an answer's map; null at the pixels. `range`: the values that the colours of these span. */
export function layerPaint(
  store: HeatmapStore,
  question: Question,
  { method, view, set }: { method: Method; view: View; set: MapSet },
  pixels: HeatMap,
  range: [number, number],
): LayerPaint | null {
  const layer = store.depth.at(question);
  if (!layer) return null;
  const { clip, depth_scale } = store.state;
  const map = upsampled(layer.map, pixels.width, pixels.height);
  if (depth_scale.value === "total" && layer.share !== null) {
    // Equal colours are equal relevance an area: a cell holds that of all its pixels.
    const cell = pixels.values.length / layer.map.values.length;
    return { layer, map, range: [range[0] * cell, range[1] * cell] };
  }
  const settings = { scale: "image", fixed_range: null, clip: clip.value } as const;
  return { layer, map, range: colorRange(view, method, set, layer.map, settings) };
}

/** "pixels", or the path of the module. */
export function layerName({ name, map }: Layer): string {
  return map ? name : "pixels";
}

/** A share with its sign. */
function signed(share: number): string {
  return `${share < -0.0005 ? "−" : ""}${formatPercent(Math.abs(share))}`;
}

/** "layer3 · 14 × 14 · 98 %": what stands on the picture, and in figures. */
export function layerText(layer: Layer): string {
  const { height, width, pictured } = layer;
  const share = pictured === null ? [] : [signed(pictured)];
  return [layerName(layer), `${height} × ${width}`, ...share].join(" · ");
}

const alike = 0.005; // shares that read the same

/** The grid of a layer, and how much of the relevance is there. */
export function placeText({ height, width, share, pictured, whole, map }: Layer): string {
  const grid = `${height} × ${width}`;
  if (share === null || pictured === null) return `${grid} · no share: each layer is scaled by itself`;
  if (!map) return `${grid} · ${signed(share)} of the relevance got here`;
  const here = whole
    ? `${signed(share)} of the relevance`
    : `${signed(share)} of the relevance, the rest beside it`;
  const shown = Math.abs(share - pictured) > alike ? `; ${signed(pictured)} in the picture` : "";
  return `${grid} · ${here}${shown}`;
}

/** What the colours of a layer may be held against. */
export function layerSentence(store: HeatmapStore, layer: Layer): string {
  const total = store.state.depth_scale.value === "total" && layer.share !== null;
  return total
    ? "At every layer, equal colours are equal relevance for equal areas."
    : "Each layer has a scale of its own.";
}
