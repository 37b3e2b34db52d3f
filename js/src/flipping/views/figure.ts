/** What is on screen as an SVG figure for papers: curves, legend and text as vectors, the pictures as images. */
import { formatNumber, formatPercent } from "../../shared/data/format.ts";
import { clamp } from "../../shared/data/numbers.ts";
import type { HeatMap } from "../../shared/data/picture.ts";
import { OverlayPainter } from "../../shared/drawing/overlay.ts";
import { element, type Figure, newFigure, serialised } from "../../shared/drawing/svg.ts";
import type { Curves, Series } from "../state/curves.ts";
import { boxOf } from "../state/patches.ts";
import type { FlippingStore } from "../state/store.ts";
import { type CurveOrder, random } from "../types.ts";
import { heatOverlay, outlines } from "./draw.ts";
import { domainOf, Geometry, margin } from "./geometry.ts";
import { markersPath, markOf } from "./marks.ts";
import { decimalsFor, fixed, methodName, orderNames, orderShort, stepText } from "./words.ts";

const widest = 220; // px, a picture
const panel = { width: 430, height: 300 };
const gap = 24;
const edge = 16;
const text = { title: 16, caption: 13, tick: 11 };
const legendLine = 18;

export function figureOf(store: FlippingStore): Figure {
  const { curves } = store.shown.value;
  if (!curves) throw new Error("there are no curves to save yet");
  const image = store.image.value;
  const visible = store.visible.value;
  const methods = store.state.methods.value;
  const panels = curves.orders.map((order) => ({
    order,
    series: curves.series(order, image).filter(({ method }) => visible.includes(method)),
  }));
  const pictures = picturesOf(store, curves);
  const columns = Math.max(panels.length, 1);
  const width = edge * 2 + columns * panel.width + (columns - 1) * gap;
  const title = store.state.title.value;
  const top = edge + (title ? text.title + 10 : 0);
  const legendHeight = (panels[0]?.series.length ?? 0) * legendLine + 8;
  const side = Math.min(
    widest,
    (width - edge * 2 - gap * (pictures.length - 1)) / Math.max(1, pictures.length),
  );
  const { grid } = curves.header;
  const tall = (side * grid.height) / grid.width;
  const pictureTop = top + text.caption + 6 + panel.height + legendHeight + 14;
  const height = pictureTop + (pictures.length ? text.caption + 6 + tall + 20 : 0) + edge;

  const root = newFigure(Math.round(width), Math.round(height));
  if (title)
    element(
      root,
      "text",
      { x: edge, y: edge + text.title - 2, "font-size": text.title, "font-weight": 600 },
      title,
    );
  const domain = domainOf(panels.flatMap(({ series }) => series));
  const table = curves.table(image);
  panels.forEach(({ order, series }, i) => {
    const group = element(root, "g", { transform: `translate(${edge + i * (panel.width + gap)}, ${top})` });
    const geometry = new Geometry(curves, domain, panel);
    element(
      group,
      "text",
      { x: margin.left, y: text.caption - 2, "font-size": text.caption, "font-weight": 600 },
      orderNames[order],
    );
    const chart = element(group, "g", { transform: `translate(0, ${text.caption + 6})` });
    axes(chart, geometry, store.state.score.value);
    const sorted = [...series].sort((a, b) => Number(b.method === random) - Number(a.method === random));
    for (const one of sorted) curve(chart, geometry, one, methods);
    const legend = element(group, "g", {
      transform: `translate(${margin.left}, ${text.caption + 6 + panel.height + 8})`,
    });
    const area = (method: string) => {
      const row = table.find((line) => line.method === method);
      return row?.auc[order] ?? (method === random ? Object.values(row?.auc ?? {})[0] : undefined) ?? null;
    };
    const decimals = decimalsFor(series.map(({ method }) => area(method)?.[0]));
    series.forEach(({ method }, line) => {
      const [mean, low, high] = area(method) ?? [null, null, null];
      const interval = low === null ? "" : ` [${fixed(low, decimals)}, ${fixed(high, decimals)}]`;
      entry(legend, line * legendLine, method, methods, `AUC ${fixed(mean, decimals)}${interval}`);
    });
  });
  pictures.forEach((picture, i) => {
    const group = element(root, "g", { transform: `translate(${edge + i * (side + gap)}, ${pictureTop})` });
    element(
      group,
      "text",
      { y: text.caption - 2, "font-size": text.caption, "font-weight": 600 },
      picture.label,
    );
    const frame = element(group, "svg", {
      y: text.caption + 6,
      width: side,
      height: tall,
      viewBox: `0 0 ${grid.width} ${grid.height}`,
    });
    element(frame, "image", {
      href: picture.canvas.toDataURL("image/png"),
      width: grid.width,
      height: grid.height,
      preserveAspectRatio: "none",
      style: "image-rendering: pixelated",
    });
    for (const { order, found } of picture.flipped) {
      const { colour, dash } = outlines[order];
      for (const index of found) {
        // As on screen: both lines within the patch.
        const line = clamp(side / 130, 1.5, 4);
        const within = (wide: number) => {
          const { x, y, width, height } = boxOf(index, grid);
          const inset = (wide / 2) * (grid.width / side);
          const inner = { x: x + inset, y: y + inset, width: width - 2 * inset, height: height - 2 * inset };
          return { ...inner, fill: "none", "stroke-width": wide, "vector-effect": "non-scaling-stroke" };
        };
        element(frame, "rect", { ...within(line + 2), stroke: "#000000", "stroke-opacity": 0.75 });
        element(frame, "rect", { ...within(line), stroke: colour, "stroke-dasharray": dash.join(" ") });
      }
    }
    element(
      group,
      "text",
      { y: text.caption + 6 + tall + 15, "font-size": text.tick, fill: "#555555" },
      picture.note,
    );
  });
  return serialised(root);
}

interface Shown {
  label: string;
  note: string;
  canvas: HTMLCanvasElement;
  flipped: { order: CurveOrder; found: number[] }[];
}

function picturesOf(store: FlippingStore, curves: Curves): Shown[] {
  const method = store.method.value;
  const step = store.step.value;
  const order = store.order(method);
  const orders = store.frameOrders.value;
  const { counts, gray_last } = curves.header;
  const outlined = (one: CurveOrder) => ({
    order: one,
    found:
      !order || step === 0 || (gray_last && step === curves.steps)
        ? []
        : order.flippedBetween(step - 1, step, one, counts),
  });
  const shown: Shown[] = [];
  if (order?.heat) {
    const label = `Heatmap of ${methodName(method)}`;
    shown.push({
      label,
      note: stepText(curves, step),
      canvas: heatCanvas(store, order.heat),
      flipped: orders.map(outlined),
    });
  }
  for (const one of orders) {
    const frame = store.frame(one, step);
    if (!frame) continue;
    const label = method === random ? orderNames.random : `Seen by the model, ${orderShort[one]}`;
    const at = method === random ? random : one;
    const score = curves.score({ method, order: at }, store.state.image.value, step);
    const note = `${store.state.score.value} ${fixed(score, decimalsFor([score]))}`;
    shown.push({ label, note, canvas: frame.canvas, flipped: [outlined(one)] });
  }
  return shown;
}

/** The heatmap over its picture as on screen, two pixels to one of the picture, and no less than a figure needs. */
function heatCanvas(store: FlippingStore, heat: HeatMap): HTMLCanvasElement {
  const picture = store.picture.value;
  const size = picture ?? heat;
  const scale = Math.max(2, Math.ceil((2 * widest) / size.width));
  const canvas = document.createElement("canvas");
  canvas.width = size.width * scale;
  canvas.height = size.height * scale;
  const overlay = { ...heatOverlay(store, picture, heat), scale: canvas.width / widest };
  new OverlayPainter().draw(canvas.getContext("2d")!, overlay);
  return canvas;
}

function axes(group: Element, { x, y, size, grey }: Geometry, score: string): void {
  const bottom = size.height - margin.bottom;
  const [left, right] = [margin.left, size.width - margin.right];
  for (const tick of y.ticks(5)) {
    element(group, "line", { x1: left, x2: right, y1: y(tick), y2: y(tick), stroke: "#e2e4e8" });
    const place = { x: left - 6, y: y(tick) + 4, "font-size": text.tick, "text-anchor": "end" };
    element(group, "text", place, formatNumber(tick, 4));
  }
  for (const tick of x.ticks(5)) {
    const place = { x: x(tick), y: bottom + 15, "font-size": text.tick, "text-anchor": "middle" };
    element(group, "text", place, formatPercent(tick));
  }
  element(group, "line", { x1: left, x2: right, y1: bottom, y2: bottom, stroke: "#1a1a1a" });
  if (grey !== null) {
    const dotted = { stroke: "#5b616b", "stroke-dasharray": "2 3" };
    element(group, "line", { x1: grey, x2: grey, y1: margin.top, y2: bottom, ...dotted });
    const beside = `translate(${grey + 14}, ${(margin.top + bottom) / 2}) rotate(-90)`;
    const said = { transform: beside, "font-size": text.tick, "text-anchor": "middle", fill: "#5b616b" };
    element(group, "text", said, "all grey");
  }
  const middle = { "font-size": text.tick, "text-anchor": "middle" };
  element(group, "text", { ...middle, x: (left + right) / 2, y: bottom + 31 }, "share of patches flipped");
  const turned = `translate(11, ${(margin.top + bottom) / 2}) rotate(-90)`;
  element(group, "text", { ...middle, transform: turned }, score);
}

function curve(group: Element, geometry: Geometry, series: Series, methods: readonly string[]): void {
  const mark = markOf(series.method, methods);
  const band = geometry.band(series);
  if (band) element(group, "path", { d: band, fill: mark.light, "fill-opacity": 0.14 });
  const line = { d: geometry.path(series), fill: "none", stroke: mark.light, "stroke-width": 1.8 };
  element(group, "path", mark.dash ? { ...line, "stroke-dasharray": mark.dash } : line);
  const size = series.method === random ? 12 : 28;
  element(group, "path", { d: markersPath(mark, size, geometry.points(series)), fill: mark.light });
}

function entry(group: Element, top: number, method: string, methods: readonly string[], area: string): void {
  const mark = markOf(method, methods);
  const middle = top + 7;
  const line = { x1: 0, x2: 30, y1: middle, y2: middle, stroke: mark.light, "stroke-width": 1.8 };
  element(group, "line", mark.dash ? { ...line, "stroke-dasharray": mark.dash } : line);
  element(group, "path", { d: markersPath(mark, 32, [[15, middle]]), fill: mark.light });
  element(
    group,
    "text",
    { x: 38, y: top + 11, "font-size": text.tick + 1 },
    `${methodName(method)} · ${area}`,
  );
}
