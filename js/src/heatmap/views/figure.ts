/**
 * What is on screen as an SVG figure for papers: the pictures as images, all text, ticks and colour bars as
 * vectors. Always dark on white, whatever the notebook's theme.
 */
import { formatPercent } from "../../shared/data/format.ts";
import { drawLegend, legendHeight, overlayImage } from "../../shared/drawing/figure-parts.ts";
import { element, type Figure, newFigure, serialised } from "../../shared/drawing/svg.ts";
import type { HeatmapStore } from "../state/store.ts";
import { overlayOf } from "./draw.ts";
import { contentOf, type Pane, type PaneContent, panesOf, unitOf } from "./panes.ts";

const side = 360; // px, the width of one picture
const gap = 24;
const margin = 16;
const text = { caption: 14, tick: 11, title: 16 };
const bar = { gap: 8 };

export function figureOf(store: HeatmapStore): Figure {
  const panes = panesOf(store).flatMap((pane) => {
    const content = contentOf(store, pane);
    return content ? [{ pane, content }] : [];
  });
  if (panes.length === 0) throw new Error("there is no result to save yet");
  const picture = store.picture.value;
  const { map } = panes[0]!.content.paint;
  const { width: w, height: h } = picture ?? map;
  const tall = Math.round((side * h) / w);
  const title = store.state.title.value;
  const top = margin + (title ? text.title + gap / 2 : 0);
  const width = margin * 2 + panes.length * side + (panes.length - 1) * gap;
  const height = top + text.caption + 8 + tall + bar.gap + legendHeight + margin;

  const root = newFigure(width, height);
  if (title) {
    const style = { x: margin, y: margin + text.title - 2, "font-size": text.title, "font-weight": 600 };
    element(root, "text", style, title);
  }
  panes.forEach(({ pane, content }, i) => {
    const group = element(root, "g", { transform: `translate(${margin + i * (side + gap)}, ${top})` });
    drawPane(group, store, pane, content, { tall, id: `ramp${i}` });
  });
  return serialised(root);
}

function drawPane(
  group: Element,
  store: HeatmapStore,
  pane: Pane,
  content: PaneContent,
  { tall, id }: { tall: number; id: string },
): void {
  const { threshold } = store.state;
  const { paint } = content;
  const unit = unitOf(pane.view) ? ` (${unitOf(pane.view)})` : "";
  const cut = paint.filter && threshold.value < 1 ? `, surest ${formatPercent(threshold.value)}` : "";
  const base = text.caption - 2;
  element(group, "text", { y: base, "font-size": text.caption }, `${pane.label}${unit}${cut}`);

  const overlay = overlayOf(store, content);
  const top = text.caption + 8;
  const box = { y: top, width: side, height: tall, preserveAspectRatio: "none" };
  element(group, "image", { ...box, href: overlayImage(overlay, side, tall) });
  const legend = element(group, "g", { transform: `translate(0, ${top + tall + bar.gap})` });
  drawLegend(legend, overlay, { width: side, id, size: text.tick });
}
