/** Boxes on an image: drawn, moved, resized by pointer and by keys, always whole pixels inside the image. */
import { clamp } from "../../shared/data/numbers.ts";
import { arrows } from "../../shared/drawing/keys.ts";
import type { Box } from "../types.ts";

export interface Size {
  width: number;
  height: number;
}

/** Which sides of a box a pointer or key moves; all four move the box. */
export interface Grip {
  left: boolean;
  top: boolean;
  right: boolean;
  bottom: boolean;
}

export const whole: Grip = { left: true, top: true, right: true, bottom: true };

/** The box between two corners in any order, at least one pixel wide and high. */
export function boxBetween(a: [number, number], b: [number, number], { width, height }: Size): Box {
  const [left, right] = span(a[0], b[0], width);
  const [top, bottom] = span(a[1], b[1], height);
  return [left, top, right, bottom];
}

function span(a: number, b: number, size: number): [number, number] {
  const low = clamp(Math.floor(Math.min(a, b)), 0, size - 1);
  return [low, clamp(Math.ceil(Math.max(a, b)), low + 1, size)];
}

/** The box with the grip's sides moved by so many pixels; sides stop at the image's edges and at each other. */
export function dragged(box: Box, grip: Grip, dx: number, dy: number, { width, height }: Size): Box {
  const x = slide([box[0], box[2]], [grip.left, grip.right], Math.round(dx), width);
  const y = slide([box[1], box[3]], [grip.top, grip.bottom], Math.round(dy), height);
  return [x[0], y[0], x[1], y[1]];
}

function slide(
  [low, high]: [number, number],
  [first, second]: [boolean, boolean],
  by: number,
  size: number,
): [number, number] {
  if (first && second) {
    const step = clamp(by, -low, size - high);
    return [low + step, high + step];
  }
  if (first) return [clamp(low + by, 0, high - 1), high];
  if (second) return [low, clamp(high + by, low + 1, size)];
  return [low, high];
}

/** What a pointer at (x, y) takes hold of, within `reach` pixels of a side; null outside the box. */
export function gripAt([left, top, right, bottom]: Box, x: number, y: number, reach: number): Grip | null {
  if (x < left - reach || x > right + reach || y < top - reach || y > bottom + reach) return null;
  // The nearer side counts: in a box narrower than the reach, both would.
  const l = Math.abs(x - left) <= reach && Math.abs(x - left) <= Math.abs(x - right);
  const r = !l && Math.abs(x - right) <= reach;
  const t = Math.abs(y - top) <= reach && Math.abs(y - top) <= Math.abs(y - bottom);
  const b = !t && Math.abs(y - bottom) <= reach;
  return l || r || t || b ? { left: l, top: t, right: r, bottom: b } : whole;
}

/** The pointer's look over a grip. */
export function cursorOf(grip: Grip | null): string {
  if (!grip) return "crosshair";
  const { left, top, right, bottom } = grip;
  if (left && right && top && bottom) return "move";
  if ((left && top) || (right && bottom)) return "nwse-resize";
  if ((right && top) || (left && bottom)) return "nesw-resize";
  return left || right ? "ew-resize" : "ns-resize";
}

/**
 * Enter makes a box in the middle, arrows move it, Shift and an arrow resize it, Escape and Delete take it away.
 * Undefined for other keys.
 */
export function boxKey(
  { key, shiftKey }: { key: string; shiftKey: boolean },
  box: Box | null,
  size: Size,
): Box | null | undefined {
  if (key === "Escape" || key === "Delete" || key === "Backspace") return box ? null : undefined;
  const middle = boxBetween(
    [size.width * 0.35, size.height * 0.35],
    [size.width * 0.65, size.height * 0.65],
    size,
  );
  if (key === "Enter") return box ?? middle;
  const arrow = arrows[key];
  if (!arrow) return undefined;
  if (!box) return middle;
  // About forty steps cross any image.
  const step = Math.max(1, Math.round(Math.max(size.width, size.height) / 40));
  const grip = shiftKey ? { left: false, top: false, right: true, bottom: true } : whole;
  return dragged(box, grip, arrow[0] * step, arrow[1] * step, size);
}

/** Where a box stands in a frame that shows the whole picture, as CSS says it. */
export function insetOf([left, top, right, bottom]: Box, { width, height }: Size): string {
  const inset = [top / height, 1 - right / width, 1 - bottom / height, left / width];
  return inset.map((part) => `${part * 100}%`).join(" ");
}
