/** Which pictures are on screen: one view, all views of a method, or what is compared, with a difference where it is asked for. */
import { computed, type ReadonlySignal } from "@preact/signals";
import { fittingColormap } from "../../shared/data/colormaps.ts";
import type { HeatMap } from "../../shared/data/picture.ts";
import { type Viewport, wholePicture } from "../../shared/data/viewport.ts";
import { differenceText } from "../../shared/data/words.ts";
import type { Paint } from "../../shared/drawing/painter.ts";
import type { Ask } from "../state/comparison.ts";
import type { Layer } from "../state/depth.ts";
import { countedIn, difference, differenceRange } from "../state/scales.ts";
import type { HeatmapStore } from "../state/store.ts";
import { type Method, type Note, type Question, sideBySide, type View } from "../types.ts";
import { layerPaint } from "./layer.ts";

/** One picture on screen: under a map of a method, or, without a view, as it is. */
export interface Pane extends Ask {
  key: string;
  label: string;
  /** Its name among others. */
  short: string;
  method: Method;
  view: View | null;
  /** Of a difference: what it is the difference of. */
  of?: readonly [MapPane, MapPane];
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
  /** Of a finished result: what it says that it explains. */
  explains?: string;
  /** False while the answer to the present question is on its way. */
  current: boolean;
}

const remembered = new WeakMap<HeatmapStore, ReadonlySignal<readonly Pane[]>>();

/** The pictures on screen; the same ones for as long as they are: what draws them must not begin anew with every number. */
export function panesOf(store: HeatmapStore): readonly Pane[] {
  let panes = remembered.get(store);
  if (!panes) {
    let last: readonly Pane[] = [];
    panes = computed(() => {
      const now = makePanes(store);
      const same = now.length === last.length && now.every((pane, i) => isSame(pane, last[i]!));
      if (!same) last = now;
      return last;
    });
    remembered.set(store, panes);
  }
  return panes.value;
}

function isSame(one: Pane, other: Pane): boolean {
  if (one.key !== other.key || one.label !== other.label || one.method !== other.method) return false;
  const ends = (one.of ?? []).every((pane, i) => isSame(pane, other.of![i]!));
  return ends && (one.view === other.view || JSON.stringify(one.view) === JSON.stringify(other.view));
}

function makePanes(store: HeatmapStore): Pane[] {
  const method = store.method.value;
  const { show } = store.state;
  const { by, gallery, shown } = store.comparison;
  if (!method) return [];
  const plain: Pane = { key: "picture", label: "Picture", short: "Picture", method, view: null };
  if (by.value || gallery.value) {
    const maps = shown.value.flatMap((ask) => comparedPane(store, ask) ?? []);
    // Images beside each other have no picture in common.
    const pictures = by.value && by.value !== "image" ? [plain] : [];
    return [...pictures, ...maps, ...differencePane(store, maps)];
  }
  const views = show.value === sideBySide ? method.views : [shownView(method, show.value)].filter((v) => !!v);
  const maps = views.map((view) => ({
    key: `${method.name}/${view.name}`,
    label: view.label,
    short: view.label,
    method,
    view,
  }));
  return show.value === sideBySide ? [plain, ...maps] : maps;
}

function comparedPane(store: HeatmapStore, ask: Ask): MapPane | null {
  const { method, target, image } = ask;
  const view = method.views[0];
  if (!view) return null;
  if (image !== undefined) {
    const name = `Image ${image + 1}`;
    return { ...ask, key: `image ${image}`, label: name, short: name, view };
  }
  if (target !== undefined) {
    const name = target === null ? view.label : store.className(target);
    return { ...ask, key: `target ${target}`, label: name, short: name, view };
  }
  return { ...ask, key: method.name, label: `${method.label}: ${view.label}`, short: method.label, view };
}

/** What the first of two has more than the second, where both are counted alike. */
function differencePane(store: HeatmapStore, maps: readonly MapPane[]): Pane[] {
  const pair = store.state.difference.value;
  const [one, other] = [maps[pair?.[0] ?? -1], maps[pair?.[1] ?? -1]];
  if (!store.comparison.by.value || !one || !other || apart(store, one, other)) return [];
  const { set } = store.result(one);
  const name = `${one.short} − ${other.short}`;
  const view: View = {
    name: "difference",
    label: name,
    help: { help: "One map minus the other, pixel by pixel, in colours of its own." },
    map: "difference",
    kind: "diverging",
    unit: countedIn(one.view, set),
    filtered: false,
  };
  return [
    {
      key: `${one.key} − ${other.key}`,
      label: name,
      short: name,
      method: one.method,
      view,
      of: [one, other],
    },
  ];
}

/** Why two maps cannot be held against each other number by number; "" where they can. */
export function apart(store: HeatmapStore, one: MapPane, other: MapPane): string {
  const [first, second] = [store.result(one).set, store.result(other).set];
  for (const [{ short }, set] of [[one, first] as const, [other, second] as const])
    if (set?.refused) return `${short} has no map`;
  // What a score is counted in is said with the last of its numbers.
  const both = first?.final && second?.final;
  const units = [countedIn(one.view, both ? first : null), countedIn(other.view, both ? second : null)];
  if (first && second && units[0] !== units[1])
    return `${one.short} is counted in ${units[0]}, ${other.short} in ${units[1]}`;
  const [a, b] = [first?.maps.get(one.view.map), second?.maps.get(other.view.map)];
  if (a && b && (a.width !== b.width || a.height !== b.height))
    return `${one.short} has ${a.height}×${a.width} pixels, ${other.short} ${b.height}×${b.width}`;
  return "";
}

/** The view that `show` names, or the method's first: methods need not have the same views. */
export function shownView(method: Method, show: string): View | undefined {
  return method.views.find(({ name }) => name === show) ?? method.views[0];
}

/** The unit, unless it only repeats the label. */
export function unitOf({ name, label, unit }: View): string {
  // A difference says its unit beneath, where there is room.
  if (name === "difference") return "";
  return unit.toLowerCase() === label.toLowerCase() ? "" : unit;
}

export function showsMap(pane: Pane): pane is MapPane {
  return pane.view !== null;
}

/** A pane of an answer: no plain picture, no difference. */
export function isAnswer(pane: Pane): pane is MapPane {
  return showsMap(pane) && !pane.of;
}

/** What a difference says, in words. */
export function differenceSentence(store: HeatmapStore, pane: Pane): string {
  const content = contentOf(store, pane);
  if (!pane.of || !pane.view || !content) return "";
  const [one, other] = pane.of;
  const said = differenceText(content.paint.colormap, [one.short, other.short], store.state.overlay.value);
  return `${said}; ${pane.view.unit}.`;
}

/** How close a person is to the pictures: of a gallery all are shown whole, as nothing there says or ends it. */
export function viewportOf(store: HeatmapStore): Viewport {
  return store.comparison.gallery.value ? wholePicture : store.state.zoom.value;
}

/** The image that a pane shows. */
export function imageOf(store: HeatmapStore, { image }: Pane): number {
  return image ?? store.state.image.value;
}

export function contentOf(store: HeatmapStore, pane: Pane): PaneContent | null {
  if (!showsMap(pane)) return null;
  const { method, view } = pane;
  if (pane.of) return differenceOf(store, view, pane.of);
  const { set, current } = store.result(pane);
  const map = set?.maps.get(view.map);
  if (!set || !map) return null;
  const { colormap, threshold, filter_mode } = store.state;
  const filter = (method.filter && set.maps.get(method.filter)) || null;
  const question = set.question ?? store.question(pane);
  const range = store.scales.of(view, method, set);
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
    explains: set.explains,
    current,
  };
}

function differenceOf(
  store: HeatmapStore,
  view: View,
  [one, other]: readonly [MapPane, MapPane],
): PaneContent | null {
  const [a, b] = [store.result(one), store.result(other)];
  const [first, second] = [a.set?.maps.get(one.view.map), b.set?.maps.get(other.view.map)];
  if (!first || !second || first.values.length !== second.values.length) return null;
  const map = difference(first, second);
  const colormap = fittingColormap(store.state.colormap.value, view.kind);
  const paint = {
    map,
    range: differenceRange(map),
    colormap,
    filter: null,
    threshold: 1,
    mode: "hide",
  } as const;
  const question = a.set!.question ?? store.question(one);
  return {
    paint,
    layer: null,
    filter: null,
    error: null,
    notes: [],
    question,
    current: a.current && b.current,
  };
}

/** Why there is no map where there could be one; "" where there is one, or is to come. */
export function refusalOf(store: HeatmapStore, pane: Pane): string {
  return isAnswer(pane) ? (store.result(pane).set?.refused ?? "") : "";
}

/** What is said of the scales of pictures that are compared; "" where one is shown. */
export function scaleSentence(store: HeatmapStore): string {
  const { scale } = store.state;
  const { by, gallery, shown } = store.comparison;
  const there = shown.value.flatMap((ask) => store.result(ask).set ?? []).filter(({ maps }) => maps.size > 0);
  if (there.length < 2 || scale.value === "fixed") return "";
  if (scale.value === "own") return "Each picture has a scale of its own: compare places, not colours.";
  const units = [...new Set(there.map(({ unit }) => unit).filter(Boolean))];
  const of = units.length === 1 ? ` (of the ${units[0]})` : "";
  const classes = by.value === "model" || by.value === "method" ? ofOwnClasses(store) : "";
  if (store.scales.count < 2)
    return `One scale for all${gallery.value ? ` ${shown.value.length} images` : ""}${of}: equal colours are equal numbers.${classes}`;
  if (units.length > 1)
    return `Pictures share a scale where their scores are counted alike (${units.join(", ")}).${classes}`;
  if (store.scales.count < there.length)
    return `Pictures by one kind of method share a scale; between kinds compare places, not colours.${classes}`;
  return `Each method has a scale of its own: compare places, not colours.${classes}`;
}

/** Of models or finished results that explain classes of their own: which. */
function ofOwnClasses(store: HeatmapStore): string {
  const { image, target } = store.state;
  const { shown } = store.comparison;
  const told = shown.value.map((ask) => store.result(ask).set?.explains ?? "");
  const names = shown.value.map(({ method }, i) => {
    const index = target.value ?? store.albumOf(method).prediction(image.value)?.classes[0];
    return told[i] || (method.classes && index !== undefined ? store.className(index) : "");
  });
  const finished = told.some(Boolean);
  // What explains no class, as an array, is not held against those that do.
  if (new Set(names.filter(Boolean)).size < 2 || (!finished && names.includes(""))) return "";
  const said = names
    .flatMap((name, i) => (name ? [`${shown.value[i]!.method.label} ${name}`] : []))
    .join(", ");
  return finished
    ? ` They explain different classes (${said}).`
    : ` Each explains its own prediction (${said}): choose a class to hold them to one.`;
}
