/**
 * What fades a picture where its concept is not: dark wherever the smoothed relevance is below a share of its
 * maximum, as the CRP paper shows reference samples (arXiv 2206.03208).
 */
import { clamp } from "../../shared/data/numbers.ts";
import type { HeatMap } from "../../shared/data/picture.ts";
import { smoothed } from "../../shared/data/smooth.ts";

const share = 0.2; // of the largest value: below it a pixel fades
const darkness = 0.7;
const veils = new WeakMap<HeatMap, HTMLCanvasElement>();

export function veilOf(map: HeatMap): HTMLCanvasElement {
  let veil = veils.get(map);
  if (!veil) {
    veil = makeVeil(map);
    veils.set(map, veil);
  }
  return veil;
}

function makeVeil({ values, width, height }: HeatMap): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(width, height);
  const positive = values.map((value) => Math.max(0, value));
  const smooth = smoothed(positive, width, height, Math.max(1, Math.round(Math.max(width, height) / 40)));
  let most = 0;
  for (const value of smooth) most = Math.max(most, value);
  const cut = most * share || Number.POSITIVE_INFINITY;
  for (let i = 0; i < smooth.length; i++) {
    // A short slope in place of an edge.
    const shown = clamp((smooth[i]! / cut - 0.6) / 0.8, 0, 1);
    image.data[i * 4 + 3] = Math.round(255 * darkness * (1 - shown));
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
