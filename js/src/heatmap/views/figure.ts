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
import { predictedText } from "./notes.tsx";
import {
  contentOf,
  differenceSentence,
  isAnswer,
  type MapPane,
  type Pane,
  panesOf,
  showsMap,
  unitOf,
} from "./panes.ts";
import { classText, inWords } from "./words.ts";

const gap = 24;
const margin = 16;
/** Width of one picture in px, and how many stand in a row. */
const usual = { side: 360, most: 6 };
const small = { side: 150, most: 8 };
const text = { caption: 14, tick: 11, title: 16 };
const legendGap = 8;

export function figureOf(store: HeatmapStore): Figure {
  const panes = panesOf(store).filter((pane) => !showsMap(pane) || contentOf(store, pane));
  if (!panes.some(showsMap)) throw new Error("there is no result to save yet");
  const { width: w, height: h } = store.picture.value ?? contentOf(store, panes.find(showsMap)!)!.paint.map;
  const { gallery, by } = store.comparison;
  const { side, most } = gallery.value ? small : usual;
  const tall = Math.round((side * h) / w);
  const title = store.state.title.value;
  const top = margin + (title ? text.title + gap / 2 : 0);
  const columns = Math.min(most, panes.length);
  const rows = Math.ceil(panes.length / most);
  // What the model says stands above each of several; images of a gallery have one legend in common.
  const note = gallery.value || by.value ? text.tick + 5 : 0;
  const legend = legendGap + legendHeight;
  const cell = text.caption + 8 + note + tall + (gallery.value ? 0 : legend);
  const width = margin * 2 + columns * side + (columns - 1) * gap;
  const height = top + rows * cell + (rows - 1) * gap + (gallery.value ? legend : 0) + makingHeight + margin;

  const root = newFigure(width, height);
  if (title) {
    const style = { x: margin, y: margin + text.title - 2, "font-size": text.title, "font-weight": 600 };
    element(root, "text", style, title);
  }
  panes.forEach((pane, i) => {
    const [x, y] = [margin + (i % most) * (side + gap), top + Math.floor(i / most) * (cell + gap)];
    drawPane(element(root, "g", { transform: `translate(${x}, ${y})` }), store, pane, {
      side,
      tall,
      note,
      id: gallery.value ? "" : `ramp${i}`,
    });
  });
  if (gallery.value) {
    const first = panes.find(showsMap)!;
    const place = element(root, "g", {
      transform: `translate(${margin}, ${top + rows * (cell + gap) - gap + legendGap})`,
    });
    drawLegend(place, overlayOf(store, first, contentOf(store, first)), {
      width: usual.side,
      id: "ramp",
      size: text.tick,
    });
  }
  drawMaking(root, { x: margin, y: height - margin, width: width - 2 * margin }, makingOf(store, panes));
  return serialised(root);
}

function drawPane(
  group: Element,
  store: HeatmapStore,
  pane: Pane,
  { side, tall, note, id }: { side: number; tall: number; note: number; id: string },
): void {
  const { threshold } = store.state;
  const content = contentOf(store, pane);
  const unit = showsMap(pane) && unitOf(pane.view) ? ` (${unitOf(pane.view)})` : "";
  const cut =
    content?.paint.filter && threshold.value < 1 ? `, surest ${formatPercent(threshold.value)}` : "";
  const where = content?.layer ? ` at ${layerText(content.layer)}` : "";
  const base = text.caption - 2;
  element(group, "text", { y: base, "font-size": text.caption }, `${pane.label}${where}${unit}${cut}`);
  if (note && showsMap(pane)) {
    const said = pane.of ? differenceSentence(store, pane) : saidIn(store, pane);
    element(group, "text", { y: base + note, "font-size": text.tick, fill: "#5b616b" }, said);
  }
  const overlay = overlayOf(store, pane, content);
  const top = text.caption + 8 + note;
  const box = { y: top, width: side, height: tall, preserveAspectRatio: "none" };
  element(group, "image", { ...box, href: overlayImage(overlay, side, tall) });
  drawMarks(group, store, marksOf(store, pane, null), { y: top, width: side, height: tall });
  if (!id) return;
  const legend = element(group, "g", { transform: `translate(0, ${top + tall + legendGap})` });
  drawLegend(legend, overlay, { width: side, id, size: text.tick });
}

/** What the model says, and of a gallery whether it is right: there is no room for more. */
function saidIn(store: HeatmapStore, pane: MapPane): string {
  const { text = "", right = null } = predictedText(store, pane) ?? {};
  const verdict = right === null ? "" : right ? " ✓" : " ✗";
  return `${store.comparison.gallery.value ? text.replace("predicts ", "") : text}${verdict}`;
}

/** Model, methods with their settings, class and image: what a figure must say to be read later. */
function makingOf(store: HeatmapStore, panes: readonly Pane[]): string[] {
  const { model_name, image, images } = store.state;
  const methods = [...new Set(panes.filter(isAnswer).map(({ method }) => method))];
  const made = methods.map((method) => {
    const settings = inWords(store, method);
    return settings ? `${method.label} (${settings})` : method.label;
  });
  const beside = store.comparison.several.value;
  // Of the map that is drawn: the answer to the present question may be on its way.
  const content = panes.flatMap((pane) => contentOf(store, pane) ?? [])[0];
  const asked = content?.question ?? store.question({ method: methods[0]! });
  const explained =
    (methods.some(({ classes }) => classes) || content?.explains) && !beside
      ? [`class ${content?.explains || classText(store, asked)}`]
      : [];
  const { gallery, by } = store.comparison;
  const one = images.value > 1 && by.value !== "image" ? [`image ${image.value + 1} of ${images.value}`] : [];
  // Stopped half-way, a gallery has fewer.
  const drawn = panes.filter(isAnswer).length;
  const count = drawn < images.value ? `${drawn} of ${images.value}` : images.value;
  const place = gallery.value ? [`${count} images on one scale`] : one;
  const models = [...new Set(methods.map((method) => method.model_name || model_name.value).filter(Boolean))];
  return [...(models.length ? [models.join(", ")] : []), ...made, ...explained, ...place];
}
