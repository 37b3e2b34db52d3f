/**
 * What fades a picture where its concept is not: dark wherever the smoothed relevance is below a share of its
 * maximum, as the CRP paper shows reference samples (arXiv 2206.03208).
 */
import { clamp } from "../../shared/data/numbers.ts";
import type { HeatMap } from "../../shared/data/picture.ts";

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
  const smooth = smoothed(values, width, height, Math.max(1, Math.round(Math.max(width, height) / 40)));
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

/** Positive values under a box blur, twice in each direction: close to a Gaussian. */
export function smoothed(values: Float32Array, width: number, height: number, radius: number): Float32Array {
  let from: Float32Array = values.map((value) => Math.max(0, value));
  for (let pass = 0; pass < 2; pass++) {
    from = blurred(from, height, width, width, 1, radius);
    from = blurred(from, width, height, 1, width, radius);
  }
  return from;
}

/** The mean over 2 · radius + 1 entries along lines: `lines` of them, `line` apart, of `length` entries `step` apart. */
function blurred(
  values: Float32Array,
  lines: number,
  length: number,
  line: number,
  step: number,
  radius: number,
): Float32Array {
  const out = new Float32Array(values.length);
  for (let l = 0; l < lines; l++) {
    const start = l * line;
    let sum = 0;
    for (let i = 0; i < Math.min(radius, length); i++) sum += values[start + i * step]!;
    for (let i = 0; i < length; i++) {
      if (i + radius < length) sum += values[start + (i + radius) * step]!;
      if (i - radius > 0) sum -= values[start + (i - radius - 1) * step]!;
      out[start + i * step] = sum / (2 * radius + 1);
    }
  }
  return out;
}
