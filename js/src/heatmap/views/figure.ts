/**
 * What is on screen as an SVG figure for papers: the pictures as images, all text, ticks and colour bars as
 * vectors. Always dark on white, whatever the notebook's theme.
 */
import { formatPercent } from "../../shared/data/format.ts";
import { ticksOf } from "../../shared/data/ticks.ts";
import { visiblePart } from "../../shared/data/viewport.ts";
import { Painter } from "../../shared/drawing/painter.ts";
import { drawColorBar, element, type Figure, newFigure, serialised } from "../../shared/drawing/svg.ts";
import type { HeatmapStore } from "../state/store.ts";
import { contentOf, type Pane, type PaneContent, panesOf, unitOf } from "./panes.ts";

const side = 360; // px, the width of one picture
const gap = 24;
const margin = 16;
const text = { caption: 14, tick: 11, title: 16 };
const bar = { height: 10, gap: 8, ticks: 20 };

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
  const height = top + text.caption + 8 + tall + bar.gap + bar.height + bar.ticks + margin;

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
  const { threshold, opacity, zoom } = store.state;
  const { paint } = content;
  const unit = unitOf(pane.view) ? ` (${unitOf(pane.view)})` : "";
  const cut = paint.filter && threshold.value < 1 ? `, surest ${formatPercent(threshold.value)}` : "";
  const base = text.caption - 2;
  element(group, "text", { y: base, "font-size": text.caption }, `${pane.label}${unit}${cut}`);

  const painter = new Painter();
  painter.paint(paint);
  const { left, top, size } = visiblePart(zoom.value);
  const frame = element(group, "svg", {
    y: text.caption + 8,
    width: side,
    height: tall,
    viewBox: `${left} ${top} ${size} ${size}`,
    preserveAspectRatio: "none",
  });
  const unitSquare = { width: 1, height: 1, preserveAspectRatio: "none" };
  const picture = store.picture.value;
  if (picture) element(frame, "image", { ...unitSquare, href: picture.canvas.toDataURL("image/png") });
  element(frame, "image", {
    ...unitSquare,
    href: painter.canvas.toDataURL("image/png"),
    opacity: opacity.value,
  });

  const legend = element(group, "g", { transform: `translate(0, ${text.caption + 8 + tall + bar.gap})` });
  drawColorBar(legend, ticksOf(paint.range), {
    id,
    colormap: paint.colormap,
    width: side,
    height: bar.height,
    size: text.tick,
    gap: 4,
    lines: true,
  });
}
