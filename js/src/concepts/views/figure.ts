/**
 * The concept on screen as a figure for papers: the image, the concept on it, its first references, and the ranking.
 * Text and bars are vectors; always dark on white, whatever the notebook's theme.
 */
import { fittingColormap } from "../../shared/data/colormaps.ts";
import { formatNumber, formatPercent } from "../../shared/data/format.ts";
import { aroundZero, type HeatMap, type Picture } from "../../shared/data/picture.ts";
import { drawLegend } from "../../shared/drawing/figure-parts.ts";
import { OverlayPainter } from "../../shared/drawing/overlay.ts";
import { element, type Figure, newFigure, serialised } from "../../shared/drawing/svg.ts";
import type { Beneath, OverlayStyle } from "../../shared/types.ts";
import type { ConceptsStore } from "../state/store.ts";
import type { Box, ConceptsState } from "../types.ts";
import { drawHeat } from "./heat-canvas.tsx";
import { signedPercent } from "./list.tsx";

const margin = 16;
const gap = 20;
const side = 230; // px, the two heatmaps
const small = 105; // px, a reference
const columns = 4;
const rows = 12; // concepts in the ranking
const rowHeight = 19;
const listWidth = 250;
const text = { title: 16, label: 13, small: 11 };
const positive = "#b2182b";
const negative = "#2166ac";
const grey = "#5b616b";

export function figureOf(store: ConceptsStore): Figure {
  const focus = store.focus.value.result;
  const layer = store.layer.value;
  const concept = store.concept.value;
  if (!focus || !layer || concept === null) throw new Error("there is no result to save yet");
  const items = (store.references.value?.items ?? []).filter(({ picture }) => picture).slice(0, 8);
  const top = margin + text.title + gap;
  const gridWidth = items.length ? columns * small + (columns - 1) * 8 : 0;
  const width = margin * 2 + side * 2 + gap * 2 + listWidth + (items.length ? gap + gridWidth : 0);
  const tall = Math.round((side * focus.picture.height) / focus.picture.width);
  const height = top + Math.max(tall + 64, 24 + rows * rowHeight, 24 + 2 * (small + 22)) + margin;

  const root = newFigure(width, height);
  const title = store.state.title.value || `${store.targetName(focus.target)}: ${layer.name}`;
  element(
    root,
    "text",
    { x: margin, y: margin + text.title - 2, "font-size": text.title, "font-weight": 600 },
    title,
  );
  const { colormap, opacity, picture, overlay } = store.state;
  const heat: Heat = {
    colormap: colormap.value,
    opacity: opacity.value,
    look: "heatmap",
    beneath: picture.value,
    style: overlay.value,
  };
  const at = (x: number) => element(root, "g", { transform: `translate(${x}, ${top})` });
  const sure = focus.probability === null ? formatNumber(focus.score) : formatPercent(focus.probability);
  const said = `${store.targetName(focus.target)}, ${sure}`;
  panel(at(margin), said, focus.picture, focus.map, tall, heat, "class");
  const mine = at(margin + side + gap);
  const name = `${store.names.nameOf(layer.name, concept)} (${layer.name} ${concept})`;
  panel(mine, name, focus.picture, store.heatmap.value, tall, heat, "concept");
  ranking(at(margin + 2 * (side + gap)), store);
  const grid = at(margin + 2 * (side + gap) + listWidth + gap);
  const { reference_by, crop, look } = store.state;
  if (items.length)
    label(grid, reference_by.value === "relevance" ? "RelMax references" : "ActMax references");
  items.forEach(({ picture, map, box, target, score }, i) => {
    const x = (i % columns) * (small + 8);
    const y = 22 + Math.floor(i / columns) * (small + 22);
    const part = crop.value && box ? box : ([0, 0, picture!.width, picture!.height] as Box);
    const square = { x, y, width: small, height: small, preserveAspectRatio: "xMidYMid meet" };
    // As on screen, where a reference's map is never fainter than that.
    const how = { ...heat, look: look.value, opacity: Math.max(0.5, heat.opacity) };
    element(grid, "image", { ...square, href: painted(picture!, map, part, how, small) });
    const caption = `${target === null ? "" : store.className(target)} ${formatNumber(score, 2)}`;
    element(grid, "text", { x, y: y + small + 13, "font-size": text.small, fill: grey }, caption);
  });
  return serialised(root);
}

interface Heat {
  colormap: string;
  opacity: number;
  look: ConceptsState["look"];
  beneath: Beneath;
  style: OverlayStyle;
}

function label(group: Element, content: string): void {
  element(group, "text", { y: text.label, "font-size": text.label, "font-weight": 600 }, content);
}

/** One picture under its heatmap, with its legend. */
function panel(
  group: Element,
  title: string,
  picture: Picture,
  map: HeatMap | null,
  tall: number,
  heat: Heat,
  id: string,
): void {
  label(group, title);
  const whole: Box = [0, 0, picture.width, picture.height];
  const frame = { y: 22, width: side, height: tall, preserveAspectRatio: "none" };
  element(group, "image", { ...frame, href: painted(picture, map, whole, heat, side) });
  if (!map) return;
  const legend = element(group, "g", { transform: `translate(0, ${tall + 30})` });
  const { opacity, beneath, style } = heat;
  const colormap = fittingColormap(heat.colormap, "diverging");
  const range = aroundZero(map.extent);
  const paint = { map, range, colormap, filter: null, threshold: 1, mode: "hide" as const };
  const part = { left: 0, top: 0, width: 1, height: 1 };
  const overlay = { picture, paint, opacity, beneath, style, part };
  drawLegend(legend, overlay, { width: side, id, ticks: 3, size: text.small });
}

function ranking(group: Element, store: ConceptsStore): void {
  const layer = store.layer.value!.name;
  const list = store.list.value.slice(0, rows);
  const byShare = store.region.value.result !== null || store.state.order.value === "relevance";
  const most = Math.abs(list[0]?.value ?? 0) || 1;
  const half = listWidth - 56;
  label(group, `Concepts of ${layer}`);
  list.forEach(({ concept, value }, i) => {
    const y = 22 + i * rowHeight;
    const name = store.names.label(layer, concept)?.name || String(concept);
    const weight = concept === store.concept.value ? 600 : 400;
    const length = Math.max(1, (Math.abs(value) / most) * half);
    element(group, "rect", { y: y + 13, width: length, height: 3, fill: value < 0 ? negative : positive });
    element(group, "text", { y: y + 10, "font-size": text.small, "font-weight": weight }, name);
    const end = { x: listWidth, y: y + 10, "font-size": text.small, "text-anchor": "end", fill: grey };
    element(group, "text", end, byShare ? signedPercent(value) : formatNumber(value));
  });
}

/** A part of a picture as on screen, as a PNG, for a place in the figure that is so wide. */
function painted(picture: Picture, map: HeatMap | null, part: Box, heat: Heat, width: number): string {
  const canvas = document.createElement("canvas");
  const [left, top, right, bottom] = part;
  const enlarged = Math.max(1, Math.round((2 * width) / (right - left)));
  canvas.width = (right - left) * enlarged;
  canvas.height = (bottom - top) * enlarged;
  const scale = canvas.width / width;
  drawHeat(canvas.getContext("2d")!, new OverlayPainter(), { picture, map, part, scale, ...heat });
  return canvas.toDataURL("image/png");
}
