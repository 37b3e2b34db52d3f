/** Which pictures are on screen: one view, all views of a method, or one view of every method. */
import { fittingColormap } from "../../shared/data/colormaps.ts";
import type { HeatMap } from "../../shared/data/picture.ts";
import type { Paint } from "../../shared/drawing/painter.ts";
import { colorRange } from "../state/maps.ts";
import type { HeatmapStore } from "../state/store.ts";
import { compare, type Method, type Note, sideBySide, type View } from "../types.ts";

/** One picture on screen: under a map of a method, or, without a view, as it is. */
export interface Pane {
  key: string;
  label: string;
  method: Method;
  view: View | null;
}

/** A pane that shows a map. */
export type MapPane = Pane & { view: View };

/** What a pane draws; null until there is a result. */
export interface PaneContent {
  paint: Paint;
  filter: HeatMap | null;
  error: HeatMap | null;
  notes: Note[];
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
  const { set, current } = store.result(method);
  const map = set?.maps.get(view.map);
  if (!set || !map) return null;
  const { scale, fixed_range, clip, colormap, threshold, filter_mode } = store.state;
  const settings = { scale: scale.value, fixed_range: fixed_range.value, clip: clip.value };
  const filter = (method.filter && set.maps.get(method.filter)) || null;
  return {
    paint: {
      map,
      range: colorRange(view, method, set, map, settings),
      colormap: fittingColormap(colormap.value, view.kind),
      filter: view.filtered ? filter : null,
      threshold: threshold.value,
      mode: filter_mode.value,
    },
    filter,
    error: (method.error && set.maps.get(method.error)) || null,
    notes: set.notes,
    current,
  };
}
