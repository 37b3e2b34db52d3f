/** A picture with its heatmap over it, or faded where the heatmap has little; whole or a part of it. */
import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { fittingColormap } from "../../shared/data/colormaps.ts";
import { aroundZero, type HeatMap, type Picture } from "../../shared/data/picture.ts";
import { density, drawPart, keepDrawn, smoothly } from "../../shared/drawing/canvas.ts";
import { OverlayPainter } from "../../shared/drawing/overlay.ts";
import type { Beneath, OverlayStyle } from "../../shared/types.ts";
import type { Box } from "../types.ts";
import { veilOf } from "./veil.ts";

interface HeatCanvasProps {
  picture: Picture | null;
  map: HeatMap | null;
  colormap: string;
  opacity: number;
  look?: "heatmap" | "fade" | "plain";
  beneath?: Beneath;
  style?: OverlayStyle;
  /** The part to show; null: all of it. */
  part?: Box | null;
  /** Device pixels a CSS pixel; the screen's where it is not said. */
  scale?: number;
}

export function HeatCanvas(props: HeatCanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const latest = useSignal(props);

  useLayoutEffect(() => {
    const painter = new OverlayPainter();
    const draw = (context: CanvasRenderingContext2D) => drawHeat(context, painter, latest.peek());
    return keepDrawn(canvas.current!, draw, () => void latest.value, "xw:draw");
  }, [latest]);

  // Every rendering brings new properties, and so a new drawing.
  useLayoutEffect(() => {
    latest.value = props;
  });
  return <canvas ref={canvas} class="xw-canvas" />;
}

export function drawHeat(
  context: CanvasRenderingContext2D,
  painter: OverlayPainter,
  props: HeatCanvasProps,
): void {
  const { picture, map, colormap, opacity, look = "heatmap", beneath = "grey", style = "colours" } = props;
  const { width, height } = context.canvas;
  context.clearRect(0, 0, width, height);
  if (!picture) return;
  const [left, top, right, bottom] = props.part ?? [0, 0, picture.width, picture.height];
  // A map may be coarser than its picture.
  const part = {
    left: left / picture.width,
    top: top / picture.height,
    width: (right - left) / picture.width,
    height: (bottom - top) / picture.height,
  };
  if (map && look === "heatmap") {
    const paint = {
      map,
      range: aroundZero(map.extent),
      colormap: fittingColormap(colormap, "diverging"),
      filter: null,
      threshold: 1,
      mode: "hide" as const,
    };
    const { scale = density() } = props;
    painter.draw(context, { picture, paint, opacity, beneath, style, part, scale });
    return;
  }
  const smooth = smoothly(context, picture.width, part, props.scale);
  drawPart(context, picture.canvas, part, smooth);
  if (map && look === "fade") drawPart(context, veilOf(map), part, smooth);
}
