/** Figures for papers: SVG that is built up element by element, always dark on white, and its PNG. */
import { cssColor } from "../data/colormaps.ts";
import { formatNumber } from "../data/format.ts";
import type { Tick } from "../data/ticks.ts";

const namespace = "http://www.w3.org/2000/svg";

export interface Figure {
  svg: string;
  width: number;
  height: number;
}

export type Attributes = Record<string, string | number>;

/** Adds an element, with user text as text. */
export function element(parent: Element, name: string, attributes: Attributes, content?: string): SVGElement {
  const made = document.createElementNS(namespace, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (content !== undefined) made.textContent = content;
  parent.append(made);
  return made;
}

/** An empty white figure. */
export function newFigure(width: number, height: number): SVGSVGElement {
  const root = document.createElementNS(namespace, "svg");
  const box = { width, height, viewBox: `0 0 ${width} ${height}` };
  for (const [key, value] of Object.entries(box)) root.setAttribute(key, String(value));
  root.setAttribute("font-family", "Helvetica, Arial, sans-serif");
  root.setAttribute("fill", "#1a1a1a");
  element(root, "rect", { width, height, fill: "#ffffff" });
  return root;
}

interface ColorBarStyle {
  /** Of the gradient, unique in the figure. */
  id: string;
  colormap: string;
  width: number;
  height: number;
  /** Of the numbers, px. */
  size: number;
  /** Between bar and numbers, px, and whether a line goes from each number to the bar. */
  gap: number;
  lines: boolean;
}

/** A heatmap's colours with their numbers, from the upper left corner. */
export function drawColorBar(parent: Element, ticks: readonly Tick[], style: ColorBarStyle): void {
  const { id, colormap, width, height, size, gap, lines } = style;
  const ramp = element(element(parent, "defs", {}), "linearGradient", { id });
  for (let i = 0; i <= 32; i++)
    element(ramp, "stop", { offset: i / 32, "stop-color": cssColor(colormap, i / 32) });
  element(parent, "rect", { width, height, fill: `url(#${id})` });
  for (const tick of ticks) {
    const x = Math.round(tick.at * width * 10) / 10;
    const anchor = tick.at < 0.03 ? "start" : tick.at > 0.97 ? "end" : "middle";
    const numbers = { x, y: height + gap + size, "font-size": size, "text-anchor": anchor };
    if (lines) element(parent, "line", { x1: x, x2: x, y1: height, y2: height + gap, stroke: "#1a1a1a" });
    element(parent, "text", numbers, formatNumber(tick.value, 4));
  }
}

export function serialised(root: SVGSVGElement): Figure {
  const [width, height] = ["width", "height"].map((name) => Number(root.getAttribute(name)));
  return { svg: new XMLSerializer().serializeToString(root), width: width!, height: height! };
}

/** Rasterises a figure at twice its size, for slides and screens of high density. */
export async function figurePng(figure: Figure): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(figure.svg)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = figure.width * 2;
  canvas.height = figure.height * 2;
  canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error("the browser made no PNG"))),
      "image/png",
    );
  });
}
