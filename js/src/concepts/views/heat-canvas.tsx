/** A picture with its heatmap over it, or faded where the heatmap has little; whole or a part of it. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { fittingColormap } from "../../shared/data/colormaps.ts";
import { aroundZero, type HeatMap, type Picture } from "../../shared/data/picture.ts";
import { drawPart, keepDrawn } from "../../shared/drawing/canvas.ts";
import { Painter } from "../../shared/drawing/painter.ts";
import type { Box } from "../types.ts";
import { veilOf } from "./veil.ts";

interface HeatCanvasProps {
  picture: Picture | null;
  map: HeatMap | null;
  colormap: string;
  opacity: number;
  look?: "heatmap" | "fade" | "plain";
  /** The part to show; null: all of it. */
  part?: Box | null;
}

export function HeatCanvas(props: HeatCanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const latest = useSignal(props);

  useEffect(() => {
    const painter = new Painter();
    const draw = (context: CanvasRenderingContext2D) => drawHeat(context, painter, latest.peek());
    return keepDrawn(canvas.current!, draw, () => void latest.value, "xw:draw");
  }, [latest]);

  // Every rendering brings new properties, and so a new drawing.
  useEffect(() => {
    latest.value = props;
  });
  return <canvas ref={canvas} class="xw-canvas" />;
}

export function drawHeat(context: CanvasRenderingContext2D, painter: Painter, props: HeatCanvasProps): void {
  const { picture, map, colormap, opacity, look = "heatmap", part } = props;
  const { width, height } = context.canvas;
  context.clearRect(0, 0, width, height);
  if (!picture) return;
  const [left, top, right, bottom] = part ?? [0, 0, picture.width, picture.height];
  // A map may be coarser than its picture.
  const place = (layer: HTMLCanvasElement) =>
    drawPart(context, layer, {
      left: left / picture.width,
      top: top / picture.height,
      width: (right - left) / picture.width,
      height: (bottom - top) / picture.height,
    });
  place(picture.canvas);
  if (!map || look === "plain") return;
  if (look === "fade") {
    place(veilOf(map));
    return;
  }
  if (opacity <= 0) return;
  painter.paint({
    map,
    range: aroundZero(map.extent),
    colormap: fittingColormap(colormap, "diverging"),
    filter: null,
    threshold: 1,
    mode: "hide",
  });
  context.globalAlpha = opacity;
  place(painter.canvas);
  context.globalAlpha = 1;
}
