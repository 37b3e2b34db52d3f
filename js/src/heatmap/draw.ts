/** Draws one pane: the picture, and the heatmap over it. */
import { type Viewport, visiblePart } from "../shared/viewport.ts";
import type { Picture } from "./maps.ts";

interface Layers {
  picture: Picture | null;
  heat: HTMLCanvasElement | null;
  opacity: number;
  viewport: Viewport;
}

const crisp = 6; // screen pixels a data pixel; from here on people want to see the pixels themselves

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
