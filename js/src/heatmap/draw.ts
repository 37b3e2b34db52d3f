/** Draws one pane: the picture, and the heatmap over it, and draws again when what they show has changed. */
import { effect, type ReadonlySignal } from "@preact/signals";
import { FrameJob } from "../shared/frames.ts";
import { Painter } from "../shared/painter.ts";
import type { Picture } from "../shared/picture.ts";
import { type Viewport, visiblePart } from "../shared/viewport.ts";
import type { PaneContent } from "./panes.ts";
import type { HeatmapStore } from "./store.ts";

interface Layers {
  picture: Picture | null;
  heat: HTMLCanvasElement | null;
  opacity: number;
  viewport: Viewport;
}

const sharpest = 2; // device pixels a CSS pixel; more costs time and shows nothing
const crisp = 12; // screen pixels a data pixel; from here on people want to see the pixels themselves

export function drawLayers(
  context: CanvasRenderingContext2D,
  { picture, heat, opacity, viewport }: Layers,
): void {
  const { width, height } = context.canvas;
  const { left, top, size } = visiblePart(viewport);
  context.clearRect(0, 0, width, height);
  const place = (layer: HTMLCanvasElement) => {
    const w = layer.width * size;
    context.imageSmoothingEnabled = width / w < crisp;
    context.drawImage(
      layer,
      left * layer.width,
      top * layer.height,
      w,
      layer.height * size,
      0,
      0,
      width,
      height,
    );
  };
  if (picture) place(picture.canvas);
  if (!heat || opacity <= 0) return;
  context.globalAlpha = opacity;
  place(heat);
  context.globalAlpha = 1;
}

/** Keeps a canvas in step with a store; returns what stops it. */
export function keepDrawn(
  canvas: HTMLCanvasElement,
  store: HeatmapStore,
  content: ReadonlySignal<PaneContent | null>,
): () => void {
  const context = canvas.getContext("2d")!;
  const painter = new Painter();
  const { opacity, zoom } = store.state;
  const draw = new FrameJob(() => {
    const now = content.peek();
    if (now) painter.paint(now.paint);
    drawLayers(context, {
      picture: store.picture.peek(),
      heat: now ? painter.canvas : null,
      opacity: opacity.peek(),
      viewport: zoom.peek(),
    });
  }, "xw:draw");
  // The size comes from the observer: asking the element while a slider moves would force a layout.
  const size = new ResizeObserver(([entry]) => {
    const density = Math.min(sharpest, window.devicePixelRatio || 1);
    canvas.width = Math.max(1, Math.round(entry!.contentRect.width * density));
    canvas.height = Math.max(1, Math.round(entry!.contentRect.height * density));
    draw.request();
  });
  size.observe(canvas);
  const stop = effect(() => {
    // Read, so that a change of any of them draws again; the drawing itself waits for the frame.
    void [content.value, store.picture.value, opacity.value, zoom.value];
    draw.request();
  });
  return () => {
    stop();
    size.disconnect();
    draw.dispose();
  };
}
