/** What the keys do on a picture. */
import { clamp } from "../../shared/data/numbers.ts";
import { clampViewport, panBy, type Viewport, wholePicture, zoomAround } from "../../shared/data/viewport.ts";
import { arrows } from "../../shared/drawing/keys.ts";
import { boxOf } from "../state/places.ts";
import type { HeatmapStore } from "../state/store.ts";

type Point = { x: number; y: number };

const panStep = 0.12; // of the frame, an arrow key

/** Plus and minus zoom, arrows move, zero resets; null for other keys. */
export function zoomKey({ key, shiftKey }: KeyboardEvent, viewport: Viewport): Viewport | null {
  if (key === "+" || key === "=") return zoomAround(viewport, 1.25, 0.5, 0.5);
  if (key === "-" || key === "_") return zoomAround(viewport, 0.8, 0.5, 0.5);
  if (key === "0") return wholePicture;
  const direction = shiftKey ? undefined : arrows[key];
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
  const direction = shiftKey ? arrows[key] : undefined;
  if (!direction) return undefined;
  if (!pinned) return middle;
  // A pixel of a small picture, more of a large one: the pin crosses any picture in about 64 steps.
  const step = Math.max(1, Math.round(Math.max(width, height) / 64));
  return {
    x: clamp(pinned.x + direction[0] * step, 0, width - 1),
    y: clamp(pinned.y + direction[1] * step, 0, height - 1),
  };
}

/** Enter at the pin asks about the region there, B at two pins after each other about the box between; false for other keys. */
export function askKey(
  { key }: KeyboardEvent,
  store: HeatmapStore,
  corner: { value: Point | null },
): boolean {
  const pin = store.state.selection.peek();
  if (!pin || !store.places.peek()?.drawn || !store.canCompute.peek()) return false;
  const first = corner.value;
  if (key === "Enter") store.askAbout({ point: [pin.x, pin.y] });
  else if (key !== "b" && key !== "B") return false;
  else if (first) store.askAbout({ box: boxOf(first, pin) });
  corner.value = key === "Enter" || first ? null : pin;
  return true;
}
