/** Canvases whose pixels follow their size on screen. */
import { effect } from "@preact/signals";
import { FrameJob } from "./frames.ts";

const sharpest = 2; // device pixels a CSS pixel; more costs time and shows nothing

/** Gives the canvas as many pixels as it takes up on screen, now and whenever that changes; then calls `changed`. */
function keepSharp(canvas: HTMLCanvasElement, changed: () => void): () => void {
  // The size comes from the observer: asking the element while something moves would force a layout.
  const observer = new ResizeObserver(([entry]) => {
    const density = Math.min(sharpest, window.devicePixelRatio || 1);
    canvas.width = Math.max(1, Math.round(entry!.contentRect.width * density));
    canvas.height = Math.max(1, Math.round(entry!.contentRect.height * density));
    changed();
  });
  observer.observe(canvas);
  return () => observer.disconnect();
}

/**
 * Keeps a canvas in step with what it shows, drawing at most once a frame: `watch` reads the signals that a drawing
 * depends on. Returns what stops it.
 */
export function keepDrawn(
  canvas: HTMLCanvasElement,
  draw: (context: CanvasRenderingContext2D) => void,
  watch: () => void,
  measure: string,
): () => void {
  const context = canvas.getContext("2d")!;
  const job = new FrameJob(() => draw(context), measure);
  const unsize = keepSharp(canvas, () => job.request());
  const stop = effect(() => {
    watch();
    job.request();
  });
  return () => {
    stop();
    unsize();
    job.dispose();
  };
}

const crisp = 12; // screen pixels a data pixel; from here on people want to see the pixels themselves

/** Fills the canvas with a part of a layer, in shares of its width and height: pixels as such where they are large. */
export function drawPart(
  context: CanvasRenderingContext2D,
  layer: HTMLCanvasElement,
  part: { left: number; top: number; width: number; height: number },
): void {
  const { width, height } = context.canvas;
  const w = part.width * layer.width;
  context.imageSmoothingEnabled = width / w < crisp;
  context.imageSmoothingQuality = "high";
  const [x, y, h] = [part.left * layer.width, part.top * layer.height, part.height * layer.height];
  context.drawImage(layer, x, y, w, h, 0, 0, width, height);
}
