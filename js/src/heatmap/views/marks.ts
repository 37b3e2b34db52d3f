/** The lines on a picture: what the model finds, what the pointer is over, and what is asked about. */
import { visiblePart } from "../../shared/data/viewport.ts";
import { element } from "../../shared/drawing/svg.ts";
import type { HeatmapStore } from "../state/store.ts";
import type { Box, Place } from "../types.ts";
import { imageOf, type Pane, viewportOf } from "./panes.ts";

export interface Mark {
  kind: "found" | "asked" | "pointed";
  /** An SVG path, and how many pixels of the picture one of its units is. */
  path: string;
  scale: readonly [number, number];
  /** What stands at a box, and where. */
  label?: string;
  at?: readonly [number, number];
}

const widths = { found: 1.25, pointed: 2, asked: 2.75 } as const;
const line = "#111418";
const halo = "rgb(255 255 255 / 80%)";
const labelSize = 12;

/** The lines of a pane; `pointed` is the pixel under the pointer, where pointing asks. */
export function marksOf(store: HeatmapStore, pane: Pane, pointed: { x: number; y: number } | null): Mark[] {
  const image = imageOf(store, pane);
  const { picture, places } = { picture: store.pictureOf(image), places: store.placesOf(image) };
  if (!picture || !places) return [];
  const { regions, boxes } = places;
  const grid = regions ? ([picture.width / regions.width, picture.height / regions.height] as const) : null;
  const marks: Mark[] = [];
  if (store.state.found.value) {
    // The largest has its lines from the others, and would have the picture's edge as well.
    for (const { index } of regions?.classes.slice(1) ?? [])
      marks.push({ kind: "found", path: regions!.around(index), scale: grid! });
    for (const { box, label, share } of boxes ?? [])
      marks.push({ ...around(box, "found"), label: store.boxLabel(label, share), at: [box[0], box[1]] });
  }
  if (pointed && regions)
    marks.push({ kind: "pointed", path: regions.partAround(pointed.x, pointed.y, picture), scale: grid! });
  const place: Place = store.placeOf(
    pane.target === undefined ? store.state.target.value : pane.target,
    image,
  );
  if (place.box) marks.push(around(place.box, "asked"));
  else if (place.point && regions)
    marks.push({ kind: "asked", path: regions.partAround(...place.point, picture), scale: grid! });
  return marks;
}

function around([left, top, right, bottom]: Box, kind: Mark["kind"]): Mark {
  return { kind, path: `M${left} ${top}H${right}V${bottom}H${left}Z`, scale: [1, 1] };
}

/** How the lines of one mark are drawn: a bright one, and a dark one over it, in so many pixels of the screen. */
export function strokesOf(kind: Mark["kind"]): { stroke: string; width: number }[] {
  return [
    { stroke: halo, width: widths[kind] + 2 },
    { stroke: line, width: widths[kind] },
  ];
}

/** What of the picture is in view, as an SVG view box. */
export function viewBoxOf(store: HeatmapStore): string {
  const { width, height } = store.picture.value ?? { width: 1, height: 1 };
  const { left, top, size } = visiblePart(viewportOf(store));
  return [left * width, top * height, size * width, size * height].join(" ");
}

/** The lines of a pane in a figure, over a picture of so many pixels. */
export function drawMarks(
  group: Element,
  store: HeatmapStore,
  marks: readonly Mark[],
  { y, width, height }: { y: number; width: number; height: number },
): void {
  const picture = store.picture.value;
  if (!picture || marks.length === 0) return;
  const { size } = visiblePart(viewportOf(store));
  const unit = (size * picture.width) / width; // of the picture, a pixel of the figure
  const frame = {
    y,
    width,
    height,
    viewBox: viewBoxOf(store),
    preserveAspectRatio: "none",
    overflow: "hidden",
  };
  const inner = element(group, "svg", frame);
  for (const { kind, path, scale, label, at } of marks) {
    for (const { stroke, width: wide } of strokesOf(kind)) {
      const look = {
        fill: "none",
        stroke,
        "stroke-width": (wide * unit) / scale[0],
        "stroke-linejoin": "round",
      };
      element(inner, "path", { d: path, transform: `scale(${scale[0]} ${scale[1]})`, ...look });
    }
    if (!label || !at) continue;
    const text = { x: at[0] + 3 * unit, y: at[1] + (labelSize + 2) * unit, "font-size": labelSize * unit };
    const ground = { stroke: "#ffffff", "stroke-width": 3 * unit, "paint-order": "stroke", fill: line };
    element(inner, "text", { ...text, ...ground }, label);
  }
}
