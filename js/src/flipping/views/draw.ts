/** Draws one picture: a frame or the heatmap, and over it the outlines of what the step flipped. */
import { fittingColormap } from "../../shared/data/colormaps.ts";
import { aroundZero, type HeatMap, type Picture } from "../../shared/data/picture.ts";
import { whole } from "../../shared/drawing/canvas.ts";
import { type Overlay, OverlayPainter } from "../../shared/drawing/overlay.ts";
import type { Curves } from "../state/curves.ts";
import { boxOf, indexOf, type PatchOrder } from "../state/patches.ts";
import type { FlippingStore } from "../state/store.ts";
import type { CurveOrder, Patch } from "../types.ts";
import type { ViewContext } from "./context.ts";

/** Outlines by order: told apart by colour and dash, on any picture. */
export const outlines: Record<CurveOrder, { colour: string; dash: number[] }> = {
  morf: { colour: "#ffb000", dash: [] },
  lerf: { colour: "#4cc9ff", dash: [5, 3] },
  random: { colour: "#ffb000", dash: [] },
};

const nearZero = 0.05; // of the largest value: a map that begins there is one of amounts, and zero is nothing

/** How a heatmap is coloured: around zero where it has two signs, or begins there. */
export function heatLook(heat: HeatMap): { range: [number, number]; colormap: string } {
  const [low, high] = heat.extent;
  // A map of nothing looks as in every widget.
  const signed = low === high || low < nearZero * Math.max(0, high);
  return {
    range: signed ? aroundZero(heat.extent) : heat.extent,
    colormap: fittingColormap("", signed ? "diverging" : "sequential"),
  };
}

const painters = new WeakMap<HeatMap, OverlayPainter>();

export const heatOpacity = 0.8;

/** The heatmap over its picture, as the state says it. */
export function heatOverlay({ state }: FlippingStore, picture: Picture | null, heat: HeatMap): Overlay {
  const paint = { map: heat, ...heatLook(heat), filter: null, threshold: 1, mode: "hide" as const };
  const [beneath, style] = [state.picture.value, state.overlay.value];
  return { picture, paint, opacity: heatOpacity, beneath, style, part: whole };
}

function drawHeat(context: CanvasRenderingContext2D, overlay: Overlay): void {
  const { map } = overlay.paint!;
  const painter = painters.get(map) ?? new OverlayPainter();
  painters.set(map, painter);
  painter.draw(context, overlay);
}

/** What a pane shows: the untouched image, the heatmap, or the frame of an order. */
export type PaneKind = "image" | "heat" | CurveOrder;

export function isOrder(pane: PaneKind): pane is CurveOrder {
  return pane !== "image" && pane !== "heat";
}

export function drawPane(
  context: CanvasRenderingContext2D,
  { store, hover }: ViewContext,
  pane: PaneKind,
): void {
  const { width, height } = context.canvas;
  const { curves, current } = store.shown.peek();
  const step = store.step.peek();
  const patches = store.order(store.method.peek());
  const picture = store.picture.peek()?.canvas;
  const { dataset } = context.canvas;
  // With the last good curves their pictures stay, until there are others.
  const scene = JSON.stringify([store.state.image.peek(), width, height]);
  if (!current && curves && dataset.scene === scene) return;
  dataset.scene = scene;
  if (isOrder(pane)) {
    // While a frame is made, the one before it stays: it comes within the blink of an eye. Where it cannot come, it is hatched.
    const kind = JSON.stringify({ ...store.frameAt(pane, 0), width, height });
    const missing = store.frame(pane, step) === null;
    if (missing && dataset.kind === kind && store.canCompute.peek()) return;
    dataset.kind = kind;
    dataset.shown = missing ? "" : `${store.state.image.peek()}/${step}`;
  }
  context.clearRect(0, 0, width, height);
  // Edges of patches stay sharp, and pixels are seen as the model sees them.
  context.imageSmoothingEnabled = false;
  const frame = isOrder(pane) ? store.frame(pane, step) : null;
  const heat = pane === "heat" ? patches?.heat : null;
  if (heat) drawHeat(context, heatOverlay(store, store.picture.peek(), heat));
  else if (picture) {
    // Until the heatmap is there, the image stands in its place, faint.
    if (pane === "heat") context.globalAlpha = 0.35;
    context.drawImage(frame?.canvas ?? picture, 0, 0, width, height);
    context.globalAlpha = 1;
  }
  if (!curves || !patches) return;
  const outlined = new Scene(context, curves, patches);
  if (isOrder(pane) && !frame) outlined.hatch(pane, step);
  const shown = isOrder(pane) ? [pane] : store.frameOrders.peek();
  const pointed = hover.peek()?.step;
  for (const order of shown) {
    outlined.outline(order, step, 1);
    // What another step would flip is shown where nothing is flipped yet.
    if (!isOrder(pane) && pointed !== undefined && pointed !== step) outlined.outline(order, pointed, 0.45);
  }
  const pinned = store.state.selection.peek();
  if (pinned) outlined.mark(pinned);
  const over = hover.peek()?.patch;
  if (over) outlined.mark(over);
}

class Scene {
  private readonly sx: number;
  private readonly sy: number;

  constructor(
    private readonly context: CanvasRenderingContext2D,
    private readonly curves: Curves,
    private readonly patches: PatchOrder,
  ) {
    const { grid } = curves.header;
    this.sx = context.canvas.width / grid.width;
    this.sy = context.canvas.height / grid.height;
  }

  /** Outlines of the patches that a step flips. */
  outline(order: CurveOrder, step: number, strength: number): void {
    if (step === 0 || this.isGray(step)) return;
    const { colour, dash } = outlines[order];
    const found = this.patches.flippedBetween(step - 1, step, order, this.curves.header.counts);
    const width = Math.max(1.5, Math.min(4, this.context.canvas.width / 130));
    // A dark line under the bright one: it is seen on any ground.
    this.stroke(found, "rgb(0 0 0 / 75%)", [], width + 2, strength);
    this.stroke(
      found,
      colour,
      dash.map((part) => part * (width / 2)),
      width,
      strength,
    );
  }

  /** What is flipped by a step, where there is no frame of it. */
  hatch(order: CurveOrder, step: number): void {
    const { context } = this;
    const found = this.isGray(step)
      ? [...this.patches.ranks.keys()]
      : this.patches.flippedBetween(0, step, order, this.curves.header.counts);
    context.fillStyle = hatching(context);
    for (const index of found) context.fillRect(...this.box(index));
  }

  /** One patch that is pointed at. */
  mark({ row, column }: Patch): void {
    if (row >= this.curves.rows || column >= this.curves.columns) return;
    const index = indexOf({ row, column }, this.curves.columns);
    this.stroke([index], "#000000", [], 5, 1);
    this.stroke([index], "#ffffff", [], 2, 1);
  }

  private isGray(step: number): boolean {
    return this.curves.header.gray_last && step === this.curves.steps;
  }

  private box(index: number): [number, number, number, number] {
    const { x, y, width, height } = boxOf(index, this.curves.header.grid);
    return [x * this.sx, y * this.sy, width * this.sx, height * this.sy];
  }

  private stroke(found: number[], colour: string, dash: number[], width: number, alpha: number): void {
    const { context } = this;
    context.save();
    context.globalAlpha = alpha;
    context.strokeStyle = colour;
    context.lineWidth = Math.min(width, Math.max(1, this.box(0)[2] / 3));
    context.setLineDash(dash);
    context.beginPath();
    for (const index of found) {
      const [x, y, w, h] = this.box(index);
      const inset = context.lineWidth / 2;
      context.rect(x + inset, y + inset, w - 2 * inset, h - 2 * inset);
    }
    context.stroke();
    context.restore();
  }
}

function hatching(context: CanvasRenderingContext2D): CanvasPattern | string {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const paint = tile.getContext("2d")!;
  paint.fillStyle = "#80858d";
  paint.fillRect(0, 0, 8, 8);
  paint.strokeStyle = "#5e636b";
  paint.lineWidth = 2;
  paint.beginPath();
  paint.moveTo(-2, 10);
  paint.lineTo(10, -2);
  paint.stroke();
  return context.createPattern(tile, "repeat") ?? "#80858d";
}
