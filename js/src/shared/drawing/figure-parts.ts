/** What figures for papers are made of: a picture under its heatmap as on screen, and the legend of its colours. */
import { cssColor, cssOver, isSigned } from "../data/colormaps.ts";
import { formatNumber, formatPercent } from "../data/format.ts";
import { outlined } from "../data/outlines.ts";
import { ticksOf } from "../data/ticks.ts";
import { flatText } from "../data/words.ts";
import { lineColour, lineWidths } from "./outlines.ts";
import { type Overlay, OverlayPainter } from "./overlay.ts";
import { nothingBut } from "./painter.ts";
import { element } from "./svg.ts";

const raster = 2; // pixels of a raster image to one of the figure: as sharp as on a good screen
export const legendHeight = 36;

/** A picture under its heatmap as a PNG, of so many pixels of the figure. */
export function overlayImage(overlay: Overlay, width: number, height: number): string {
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(width * raster);
  canvas.height = Math.round(height * raster);
  new OverlayPainter().draw(canvas.getContext("2d")!, { ...overlay, scale: raster });
  return canvas.toDataURL("image/png");
}

/** The colours of an overlay with their numbers, or what its outlines are, `width` wide and `legendHeight` tall. */
export function drawLegend(
  group: Element,
  { paint, opacity, beneath, style }: Overlay,
  { width, id, ticks = 4, size = 11 }: { width: number; id: string; ticks?: number; size?: number },
): void {
  if (!paint) return;
  const nothing = nothingBut(paint);
  if (nothing !== null) {
    element(group, "text", { y: size + 2, "font-size": size }, flatText(nothing));
    return;
  }
  if (style === "outlines") {
    drawOutlineKey(group, paint.colormap, size);
    return;
  }
  const bar = 10;
  const ramp = element(element(group, "defs", {}), "linearGradient", { id });
  for (let i = 0; i <= 32; i++) {
    const t = i / 32;
    const color = beneath === "none" ? cssColor(paint.colormap, t) : cssOver(paint.colormap, t, opacity);
    element(ramp, "stop", { offset: t, "stop-color": color });
  }
  element(group, "rect", { width, height: bar, fill: `url(#${id})` });
  for (const tick of ticksOf(paint.range, ticks)) {
    const x = Math.round(tick.at * width * 10) / 10;
    element(group, "line", { x1: x, x2: x, y1: bar, y2: bar + 4, stroke: "#1a1a1a" });
    const anchor = tick.at < 0.03 ? "start" : tick.at > 0.97 ? "end" : "middle";
    const place = { x, y: bar + 4 + size, "font-size": size, "text-anchor": anchor };
    element(group, "text", place, formatNumber(tick.value, 4));
  }
}

function drawOutlineKey(group: Element, colormap: string, size: number): void {
  const signs = isSigned(colormap) ? ([1, -1] as const) : ([1] as const);
  const y = size + 2;
  element(group, "text", { y, "font-size": size }, "strongest");
  [...outlined].reverse().forEach((share, i) => {
    const x = 64 + i * 76;
    signs.forEach((sign, j) => {
      const stroke = { stroke: lineColour(colormap, sign), "stroke-width": lineWidths[share]! };
      element(group, "line", { x1: x + j * 16, x2: x + j * 16 + 13, y1: y - 4, y2: y - 4, ...stroke });
    });
    element(group, "text", { x: x + signs.length * 16 + 2, y, "font-size": size }, formatPercent(share));
  });
}

const makingSize = 11;
/** Of the line that says how a figure was made. */
export const makingHeight = 24;

/** How a figure was made, and when, in a line at its foot; cut where it is longer than the figure is wide. */
export function drawMaking(
  root: Element,
  { x, y, width }: { x: number; y: number; width: number },
  parts: readonly string[],
): void {
  const said = [...parts, new Date().toISOString().slice(0, 10)].join(" · ");
  const most = Math.floor(width / (makingSize * 0.52));
  const line = said.length > most ? `${said.slice(0, most - 1)}…` : said;
  const made = element(root, "text", { x, y, "font-size": makingSize, fill: "#5b616b" }, line);
  element(made, "title", {}, said);
}
