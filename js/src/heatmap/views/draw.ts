/** Draws one pane: the picture, and the heatmap over it, and draws again when what they show has changed. */
import type { ReadonlySignal } from "@preact/signals";
import type { Picture } from "../../shared/data/picture.ts";
import { type Viewport, visiblePart } from "../../shared/data/viewport.ts";
import { drawPart, keepDrawn } from "../../shared/drawing/canvas.ts";
import { Painter } from "../../shared/drawing/painter.ts";
import type { HeatmapStore } from "../state/store.ts";
import type { PaneContent } from "./panes.ts";

interface Layers {
  picture: Picture | null;
  heat: HTMLCanvasElement | null;
  opacity: number;
  viewport: Viewport;
}

export function drawLayers(
  context: CanvasRenderingContext2D,
  { picture, heat, opacity, viewport }: Layers,
): void {
  const { width, height } = context.canvas;
  const { left, top, size } = visiblePart(viewport);
  context.clearRect(0, 0, width, height);
  const place = (layer: HTMLCanvasElement) =>
    drawPart(context, layer, { left, top, width: size, height: size });
  if (picture) place(picture.canvas);
  if (!heat || opacity <= 0) return;
  context.globalAlpha = opacity;
  place(heat);
  context.globalAlpha = 1;
}

/** Keeps a canvas in step with a store; returns what stops it. */
export function keepPaneDrawn(
  canvas: HTMLCanvasElement,
  store: HeatmapStore,
  content: ReadonlySignal<PaneContent | null>,
): () => void {
  const painter = new Painter();
  const { opacity, zoom } = store.state;
  const draw = (context: CanvasRenderingContext2D) => {
    const now = content.peek();
    if (now) painter.paint(now.paint);
    drawLayers(context, {
      picture: store.picture.peek(),
      heat: now ? painter.canvas : null,
      opacity: opacity.peek(),
      viewport: zoom.peek(),
    });
  };
  const watch = () => void [content.value, store.picture.value, opacity.value, zoom.value];
  return keepDrawn(canvas, draw, watch, "xw:draw");
}
