/** Zoom and pan of a picture, as [scale, x, y]: how often magnified, and which point (0..1) is in the middle. */
import { clamp } from "./numbers.ts";

export type Viewport = [scale: number, x: number, y: number];

export const wholePicture: Viewport = [1, 0.5, 0.5];
export const largestZoom = 32;

/** The nearest viewport that shows nothing beyond the picture's edges. */
export function clampViewport([scale, x, y]: Viewport): Viewport {
  const s = clamp(Number.isFinite(scale) ? scale : 1, 1, largestZoom);
  const half = 0.5 / s;
  const inside = (v: number) => (Number.isFinite(v) ? clamp(v, half, 1 - half) : 0.5);
  return [s, inside(x), inside(y)];
}

/** The visible part of the picture: left, top and size, as shares of its width and height. */
export function visiblePart(viewport: Viewport): { left: number; top: number; size: number } {
  const [scale, x, y] = clampViewport(viewport);
  return { left: x - 0.5 / scale, top: y - 0.5 / scale, size: 1 / scale };
}

/** The point of the picture under a point of the frame; all in 0..1. */
export function pictureAt(viewport: Viewport, u: number, v: number): [number, number] {
  const { left, top, size } = visiblePart(viewport);
  return [left + u * size, top + v * size];
}

/** The point of the frame over a point of the picture; outside 0..1 when it is not in view. */
export function frameAt(viewport: Viewport, px: number, py: number): [number, number] {
  const { left, top, size } = visiblePart(viewport);
  return [(px - left) / size, (py - top) / size];
}

/** Zooms so that the picture stays under the frame's point (u, v). */
export function zoomAround(viewport: Viewport, factor: number, u: number, v: number): Viewport {
  const [px, py] = pictureAt(viewport, u, v);
  const scale = clamp(clampViewport(viewport)[0] * factor, 1, largestZoom);
  return clampViewport([scale, px + (0.5 - u) / scale, py + (0.5 - v) / scale]);
}

/** Moves the picture by a share of the frame. */
export function panBy(viewport: Viewport, du: number, dv: number): Viewport {
  const [scale, x, y] = clampViewport(viewport);
  return clampViewport([scale, x - du / scale, y - dv / scale]);
}
