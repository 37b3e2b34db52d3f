/** What the keys do on a picture. */
import { clampViewport, panBy, type Viewport, wholePicture, zoomAround } from "../../shared/data/viewport.ts";

type Point = { x: number; y: number };

const directions: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
const panStep = 0.12; // of the frame, an arrow key

/** Plus and minus zoom, arrows move, zero resets; null for other keys. */
export function zoomKey({ key, shiftKey }: KeyboardEvent, viewport: Viewport): Viewport | null {
  if (key === "+" || key === "=") return zoomAround(viewport, 1.25, 0.5, 0.5);
  if (key === "-" || key === "_") return zoomAround(viewport, 0.8, 0.5, 0.5);
  if (key === "0") return wholePicture;
  const direction = shiftKey ? undefined : directions[key];
  return direction ? panBy(viewport, -panStep * direction[0], -panStep * direction[1]) : null;
}

/**
 * Enter pins the middle of what is in view, Shift and an arrow move the pin, Escape takes it away.
 * Undefined for other keys.
 */
export function pinKey(
  { key, shiftKey }: KeyboardEvent,
  pinned: Point | null,
  viewport: Viewport,
  { width, height }: { width: number; height: number },
): Point | null | undefined {
  const [, x, y] = clampViewport(viewport);
  const middle = { x: Math.floor(x * width), y: Math.floor(y * height) };
  if (key === "Escape") return pinned ? null : undefined;
  if (key === "Enter") return middle;
  const direction = shiftKey ? directions[key] : undefined;
  if (!direction) return undefined;
  if (!pinned) return middle;
  // A pixel of a small picture, more of a large one: the pin crosses any picture in about 64 steps.
  const step = Math.max(1, Math.round(Math.max(width, height) / 64));
  const inside = (at: number, count: number) => Math.min(count - 1, Math.max(0, at));
  return {
    x: inside(pinned.x + direction[0] * step, width),
    y: inside(pinned.y + direction[1] * step, height),
  };
}
