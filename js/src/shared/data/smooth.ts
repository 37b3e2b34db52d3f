/** Maps smoothed, so that their broad parts show. */

/** Values under a box blur of 2 · radius + 1 pixels, twice in each direction: close to a Gaussian. */
export function smoothed(values: Float32Array, width: number, height: number, radius: number): Float32Array {
  let from = values.map((value) => (Number.isFinite(value) ? value : 0));
  if (radius < 1) return from;
  for (let pass = 0; pass < 2; pass++) {
    from = blurred(from, height, width, width, 1, radius);
    from = blurred(from, width, height, 1, width, radius);
  }
  return from;
}

/** The mean over 2 · radius + 1 entries along lines: `lines` of them, `line` apart, of `length` entries `step` apart. */
function blurred(
  values: Float32Array<ArrayBuffer>,
  lines: number,
  length: number,
  line: number,
  step: number,
  radius: number,
): Float32Array<ArrayBuffer> {
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
