/** Draws the outlines of a map's strongest parts: a bright line under the coloured one, so that it is seen on any ground. */
import { cssColor, isSigned } from "../data/colormaps.ts";
import { outlinesOf } from "../data/outlines.ts";
import { density, type Part } from "./canvas.ts";
import type { Paint } from "./painter.ts";

/** Widths in CSS pixels: the stronger, the thicker. */
export const lineWidths: Readonly<Record<number, number>> = { 0.2: 1, 0.1: 1.75, 0.05: 2.75 };
const plain = "#111418"; // of maps without signs

/** The colour of a line around positive or negative values. */
export function lineColour(colormap: string, sign: 1 | -1): string {
  return isSigned(colormap) ? cssColor(colormap, sign > 0 ? 0.92 : 0.08) : plain;
}

export function drawOutlines(
  context: CanvasRenderingContext2D,
  paint: Paint,
  part: Part,
  scale = density(),
): void {
  const { map } = paint;
  const { width, height } = context.canvas;
  const [sx, sy] = [width / (part.width * map.width), height / (part.height * map.height)];
  context.save();
  context.setTransform(sx, 0, 0, sy, -part.left * map.width * sx, -part.top * map.height * sy);
  context.lineJoin = "round";
  const lines = outlinesOf(map, isSigned(paint.colormap)).map((line) => ({
    ...line,
    shape: new Path2D(line.path),
  }));
  for (const halo of [true, false]) {
    for (const { share, sign, shape } of lines) {
      context.lineWidth = ((lineWidths[share]! + (halo ? 2 : 0)) * scale) / sx;
      context.strokeStyle = halo ? "rgb(255 255 255 / 75%)" : lineColour(paint.colormap, sign);
      context.stroke(shape);
    }
  }
  context.restore();
}
