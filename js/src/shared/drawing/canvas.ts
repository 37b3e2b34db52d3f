/** Canvases whose pixels follow their size on screen. */
import { effect } from "@preact/signals";
import { FrameJob } from "./frames.ts";

const sharpest = 2; // device pixels a CSS pixel; more costs time and shows nothing

/** Device pixels a CSS pixel of the canvases here. */
export function density(): number {
  return Math.min(sharpest, window.devicePixelRatio || 1);
}

/** Gives the canvas as many pixels as it takes up on screen, now and whenever that changes; then calls `emptied`. */
function keepSharp(canvas: HTMLCanvasElement, emptied: () => void): () => void {
  // The size comes from the observer: asking the element while something moves would force a layout.
  const observer = new ResizeObserver(([entry]) => {
    const width = Math.max(1, Math.round(entry!.contentRect.width * density()));
    const height = Math.max(1, Math.round(entry!.contentRect.height * density()));
    // A canvas that is given a size, its own included, is empty.
    if (canvas.width === width && canvas.height === height) return;
    canvas.width = width;
    canvas.height = height;
    emptied();
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
  // Observers are called before the frame is shown: the next one would be late, and this one empty.
  const unsize = keepSharp(canvas, () => job.now());
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

/** A part of a picture, in shares of its width and height. */
export interface Part {
  left: number;
  top: number;
  width: number;
  height: number;
}

export const whole: Part = { left: 0, top: 0, width: 1, height: 1 };

const crisp = 3; // CSS pixels a data pixel; from here on people see the pixels themselves

/** Whether a part of a picture of so many columns is shown smoothly: the one rule for all that lies in one frame. */
export function smoothly(
  { canvas }: CanvasRenderingContext2D,
  columns: number,
  part: Part,
  scale = density(),
): boolean {
  return canvas.width / scale / (part.width * columns) < crisp;
}

/** Fills the canvas with a part of a layer: the values in between made up, or each pixel as it is. */
export function drawPart(
  context: CanvasRenderingContext2D,
  layer: HTMLCanvasElement,
  part: Part,
  smooth: boolean,
): void {
  const { width, height } = context.canvas;
  context.imageSmoothingEnabled = smooth;
  context.imageSmoothingQuality = "high";
  const [x, y] = [part.left * layer.width, part.top * layer.height];
  const [w, h] = [part.width * layer.width, part.height * layer.height];
  context.drawImage(layer, x, y, w, h, 0, 0, width, height);
}
