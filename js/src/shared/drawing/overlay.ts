/**
 * A heatmap over its picture, in every widget the same way, so that no colour lies about a sign: the picture is grey
 * beneath unless asked for otherwise, a signed value covers it the more the larger it is, and a picture in colour turns
 * grey where a value speaks.
 */
import { isSigned } from "../data/colormaps.ts";
import type { Picture } from "../data/picture.ts";
import type { Beneath, OverlayStyle } from "../types.ts";
import { density, drawPart, type Part, smoothly } from "./canvas.ts";
import { drawOutlines } from "./outlines.ts";
import { type Paint, Painter, saysNothing } from "./painter.ts";

export interface Overlay {
  picture: Picture | null;
  /** Null while there is no map, and where the picture is shown alone. */
  paint: Paint | null;
  opacity: number;
  beneath: Beneath;
  style: OverlayStyle;
  part: Part;
  /** Device pixels a CSS pixel; the screen's where it is not said. */
  scale?: number;
}

const full = 0.25; // of the opacity; from here on a picture in colour is wholly grey beneath values

export class OverlayPainter {
  private readonly heat = new Painter();
  private readonly veil = new Painter();
  private readonly scratch = document.createElement("canvas");

  draw(context: CanvasRenderingContext2D, asked: Overlay): void {
    const overlay = asked.paint && saysNothing(asked.paint) ? { ...asked, paint: null } : asked;
    const { picture, paint, opacity, style, part, scale = density() } = overlay;
    const { width, height } = context.canvas;
    context.clearRect(0, 0, width, height);
    const columns = picture?.width ?? paint?.map.width ?? 1;
    const smooth = smoothly(context, columns, part, scale);
    // Without a picture the map stands for itself, and nothing is to shine through.
    const alone = picture === null || (overlay.beneath === "none" && paint !== null);
    if (!alone) this.ground(context, overlay, smooth);
    if (!paint) return;
    if (style === "outlines") {
      if (alone) {
        context.fillStyle = "#ffffff";
        context.fillRect(0, 0, width, height);
      }
      drawOutlines(context, paint, part, scale);
      return;
    }
    if (opacity <= 0 && !alone) return;
    this.heat.paint(paint, alone ? "colours" : "over");
    context.globalAlpha = alone ? 1 : opacity;
    drawPart(context, this.heat.canvas, part, smooth);
    context.globalAlpha = 1;
  }

  /** The picture beneath. */
  private ground(context: CanvasRenderingContext2D, overlay: Overlay, smooth: boolean): void {
    const { paint, opacity, beneath, style, part } = overlay;
    const picture = overlay.picture!;
    if (beneath === "grey") {
      drawPart(context, greyOf(picture), part, smooth);
    } else if (!paint || !isSigned(paint.colormap) || style === "outlines" || opacity <= 0) {
      drawPart(context, picture.canvas, part, smooth);
    } else {
      drawPart(context, greyOf(picture), part, smooth);
      context.drawImage(this.unveiled(context.canvas, picture, paint, opacity, part, smooth), 0, 0);
    }
  }

  /** The picture's colours where the map has nothing to say. */
  private unveiled(
    { width, height }: HTMLCanvasElement,
    picture: Picture,
    paint: Paint,
    opacity: number,
    part: Part,
    smooth: boolean,
  ): HTMLCanvasElement {
    const { scratch } = this;
    if (scratch.width !== width) scratch.width = width;
    if (scratch.height !== height) scratch.height = height;
    const context = scratch.getContext("2d")!;
    context.clearRect(0, 0, width, height);
    drawPart(context, picture.canvas, part, smooth);
    this.veil.paint(paint, "veil");
    context.globalCompositeOperation = "destination-out";
    context.globalAlpha = Math.min(1, opacity / full);
    drawPart(context, this.veil.canvas, part, smooth);
    context.globalCompositeOperation = "source-over";
    context.globalAlpha = 1;
    return scratch;
  }
}

const greys = new WeakMap<Picture, HTMLCanvasElement>();

const pale = 0.72; // of the way from white: colours of values stand out from a pale ground, and show on what was black

/** The picture without its colours, made once: the luma of ITU-R BT.601, paler. xaiwidgets/plots/pixels.py does the same. */
export function greyOf(picture: Picture): HTMLCanvasElement {
  let grey = greys.get(picture);
  if (!grey) {
    grey = document.createElement("canvas");
    grey.width = picture.width;
    grey.height = picture.height;
    const image = picture.canvas.getContext("2d")!.getImageData(0, 0, picture.width, picture.height);
    const { data } = image;
    for (let i = 0; i < data.length; i += 4) {
      const luma = 0.299 * data[i]! + 0.587 * data[i + 1]! + 0.114 * data[i + 2]!;
      data.fill(255 - pale * (255 - luma), i, i + 3);
    }
    grey.getContext("2d")!.putImageData(image, 0, 0);
    greys.set(picture, grey);
  }
  return grey;
}
