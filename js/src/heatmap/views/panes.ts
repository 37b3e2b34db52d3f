/** Which pictures are on screen: one view, all views of a method, or one view of every method. */
import { fittingColormap } from "../../shared/data/colormaps.ts";
import type { HeatMap } from "../../shared/data/picture.ts";
import type { Paint } from "../../shared/drawing/painter.ts";
import type { Layer } from "../state/depth.ts";
import { colorRange } from "../state/maps.ts";
import type { HeatmapStore } from "../state/store.ts";
import {
  besideTargets,
  compare,
  type Method,
  type Note,
  type Question,
  sideBySide,
  type View,
} from "../types.ts";
import { layerPaint } from "./layer.ts";

/** One picture on screen: under a map of a method, or, without a view, as it is. */
export interface Pane {
  key: string;
  label: string;
  method: Method;
  view: View | null;
  /** What it explains, where that is not the present target. */
  target?: number | null;
}

/** A pane that shows a map. */
export type MapPane = Pane & { view: View };

/** What a pane draws; null until there is a result. */
export interface PaneContent {
  paint: Paint;
  /** The layer that stands in place of the pixels. */
  layer: Layer | null;
  filter: HeatMap | null;
  error: HeatMap | null;
  notes: Note[];
  /** What the map answers: while another answer is on its way, the question before. */
  question: Question;
  /** False while the answer to the present question is on its way. */
  current: boolean;
}

export function panesOf(store: HeatmapStore): Pane[] {
  const method = store.method.value;
  const { show } = store.state;
  const methods = store.offeredMethods;
  if (!method) return [];
  const plain = { key: "picture", label: "Picture", method, view: null };
  if (show.value === compare && methods.value.length > 1) {
    const each = methods.value.flatMap((one) => {
      const view = one.views[0];
      return view ? [{ key: one.name, label: `${one.label}: ${view.label}`, method: one, view }] : [];
    });
    return [plain, ...each];
  }
  if (show.value === besideTargets && method.classes) {
    const view = method.views[0];
    const each = view
      ? store.compared.value.map((target) => ({
          key: `target ${target}`,
          label: target === null ? view.label : store.className(target),
          method,
          view,
          target,
        }))
      : [];
    return [plain, ...each];
  }
  const views = show.value === sideBySide ? method.views : [shownView(method, show.value)].filter((v) => !!v);
  const maps = views.map((view) => ({
    key: `${method.name}/${view.name}`,
    label: view.label,
    method,
    view,
  }));
  return show.value === sideBySide ? [plain, ...maps] : maps;
}

/** The view that `show` names, or the method's first: methods need not have the same views. */
export function shownView(method: Method, show: string): View | undefined {
  return method.views.find(({ name }) => name === show) ?? method.views[0];
}

/** The unit, unless it only repeats the label. */
export function unitOf({ label, unit }: View): string {
  return unit.toLowerCase() === label.toLowerCase() ? "" : unit;
}

export function showsMap(pane: Pane): pane is MapPane {
  return pane.view !== null;
}

export function contentOf(store: HeatmapStore, pane: Pane): PaneContent | null {
  if (!showsMap(pane)) return null;
  const { method, view } = pane;
  const { set, current } = store.result(method, pane.target);
  const map = set?.maps.get(view.map);
  if (!set || !map) return null;
  const { colormap, threshold, filter_mode } = store.state;
  const filter = (method.filter && set.maps.get(method.filter)) || null;
  const question = set.question ?? store.question(method, pane.target);
  const range = rangeOf(store, pane, set.unit, map);
  const layer = layerPaint(store, question, { method, view, set }, map, range);
  return {
    paint: {
      map: layer?.map ?? map,
      range: layer?.range ?? range,
      colormap: fittingColormap(colormap.value, view.kind),
      filter: view.filtered ? filter : null,
      threshold: threshold.value,
      mode: filter_mode.value,
    },
    layer: layer?.layer ?? null,
    filter,
    error: (method.error && set.maps.get(method.error)) || null,
    notes: set.notes,
    question,
    current,
  };
}

/** The values that the colours of a pane span; targets side by side share one scale where their scores are of one unit. */
function rangeOf(store: HeatmapStore, pane: MapPane, unit: string, own: HeatMap): [number, number] {
  const { scale, fixed_range, clip } = store.state;
  const settings = { scale: scale.value, fixed_range: fixed_range.value, clip: clip.value };
  const targets = pane.target === undefined ? [undefined] : store.compared.value;
  const ranges = targets.flatMap((target) => {
    const { set } = store.result(pane.method, target);
    const map = set?.maps.get(pane.view.map);
    if (!set || !map || (map !== own && set.unit !== unit)) return [];
    return [colorRange(pane.view, pane.method, set, map, settings)];
  });
  return [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))];
}

/** What is said of the scales of pictures that are compared; "" where one is shown. */
export function scaleSentence(store: HeatmapStore): string {
  const { show, scale } = store.state;
  const shown = store.shown.value;
  if (shown.length < 2 || scale.value === "fixed") return "";
  if (show.value === compare) return "Each method has a scale of its own.";
  const units = new Set(
    shown.flatMap(({ method, target }) => store.result(method, target).set?.unit ?? []).filter(Boolean),
  );
  if (units.size > 1)
    return `Pictures share a scale where their scores are counted alike (${[...units].join(", ")}).`;
  return `One scale for all${units.size ? ` (of the ${[...units][0]})` : ""}: equal colours are equal numbers.`;
}
