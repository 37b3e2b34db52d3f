/**
 * What is on screen as an SVG figure for papers: the pictures as images, all text, ticks and colour bars as vectors, and how
 * it was made. Always dark on white, whatever the notebook's theme.
 */
import { formatPercent } from "../../shared/data/format.ts";
import {
  drawLegend,
  drawMaking,
  legendHeight,
  makingHeight,
  overlayImage,
} from "../../shared/drawing/figure-parts.ts";
import { element, type Figure, newFigure, serialised } from "../../shared/drawing/svg.ts";
import type { HeatmapStore } from "../state/store.ts";
import { overlayOf } from "./draw.ts";
import { layerText } from "./layer.ts";
import { drawMarks, marksOf } from "./marks.ts";
import { contentOf, type Pane, panesOf, showsMap, unitOf } from "./panes.ts";
import { classText, inWords } from "./words.ts";

const side = 360; // px, the width of one picture
const gap = 24;
const margin = 16;
const most = 6; // pictures in a row
const text = { caption: 14, tick: 11, title: 16 };
const legendGap = 8;

export function figureOf(store: HeatmapStore): Figure {
  const panes = panesOf(store).filter((pane) => !showsMap(pane) || contentOf(store, pane));
  if (!panes.some(showsMap)) throw new Error("there is no result to save yet");
  const { width: w, height: h } = store.picture.value ?? contentOf(store, panes.find(showsMap)!)!.paint.map;
  const tall = Math.round((side * h) / w);
  const title = store.state.title.value;
  const top = margin + (title ? text.title + gap / 2 : 0);
  const columns = Math.min(most, panes.length);
  const rows = Math.ceil(panes.length / most);
  const cell = text.caption + 8 + tall + legendGap + legendHeight;
  const width = margin * 2 + columns * side + (columns - 1) * gap;
  const height = top + rows * cell + (rows - 1) * gap + makingHeight + margin;

  const root = newFigure(width, height);
  if (title) {
    const style = { x: margin, y: margin + text.title - 2, "font-size": text.title, "font-weight": 600 };
    element(root, "text", style, title);
  }
  panes.forEach((pane, i) => {
    const [x, y] = [margin + (i % most) * (side + gap), top + Math.floor(i / most) * (cell + gap)];
    drawPane(element(root, "g", { transform: `translate(${x}, ${y})` }), store, pane, {
      tall,
      id: `ramp${i}`,
    });
  });
  drawMaking(root, { x: margin, y: height - margin, width: width - 2 * margin }, makingOf(store, panes));
  return serialised(root);
}

function drawPane(
  group: Element,
  store: HeatmapStore,
  pane: Pane,
  { tall, id }: { tall: number; id: string },
): void {
  const { threshold } = store.state;
  const content = contentOf(store, pane);
  const unit = showsMap(pane) && unitOf(pane.view) ? ` (${unitOf(pane.view)})` : "";
  const cut =
    content?.paint.filter && threshold.value < 1 ? `, surest ${formatPercent(threshold.value)}` : "";
  const where = content?.layer ? ` at ${layerText(content.layer)}` : "";
  const base = text.caption - 2;
  element(group, "text", { y: base, "font-size": text.caption }, `${pane.label}${where}${unit}${cut}`);
  const overlay = overlayOf(store, pane, content);
  const top = text.caption + 8;
  const box = { y: top, width: side, height: tall, preserveAspectRatio: "none" };
  element(group, "image", { ...box, href: overlayImage(overlay, side, tall) });
  drawMarks(group, store, marksOf(store, pane, null), { y: top, width: side, height: tall });
  const legend = element(group, "g", { transform: `translate(0, ${top + tall + legendGap})` });
  drawLegend(legend, overlay, { width: side, id, size: text.tick });
}

/** Model, methods with their settings, class and image: what a figure must say to be read later. */
function makingOf(store: HeatmapStore, panes: readonly Pane[]): string[] {
  const { model_name, image, images } = store.state;
  const methods = [...new Set(panes.filter(showsMap).map(({ method }) => method))];
  const made = methods.map((method) => {
    const settings = inWords(store, method);
    return settings ? `${method.label} (${settings})` : method.label;
  });
  const beside = panes.some(({ target }) => target !== undefined);
  // Of the map that is drawn: the answer to the present question may be on its way.
  const drawn =
    panes.flatMap((pane) => contentOf(store, pane) ?? [])[0]?.question ?? store.question(methods[0]!);
  const explained =
    methods.some(({ classes }) => classes) && !beside ? [`class ${classText(store, drawn)}`] : [];
  const place = images.value > 1 ? [`image ${image.value + 1} of ${images.value}`] : [];
  return [...(model_name.value ? [model_name.value] : []), ...made, ...explained, ...place];
}
