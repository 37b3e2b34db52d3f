/** Round numbers along a range, for axes and colour bars. */
import { scaleLinear } from "d3-scale";
import { formatNumber } from "./format.ts";

export interface Tick {
  value: number;
  /** Share of the axis' length. */
  at: number;
  text: string;
}

const roomy = 26; // characters that fit under the narrowest axis, with air between the numbers

/** At most about `count` ticks; fewer where their numbers are long. */
export function ticksOf([low, high]: [number, number], count = 4): Tick[] {
  if (!(high > low)) return [{ value: low, at: 0.5, text: formatNumber(low) }];
  const scale = scaleLinear([low, high], [0, 1]);
  const at = (n: number) =>
    scale.ticks(n).map((value) => ({ value, at: scale(value), text: formatNumber(value, 4) }));
  const length = (ticks: Tick[]) => ticks.reduce((sum, { text }) => sum + text.length + 1, 0);
  let ticks = at(count);
  for (let n = count - 1; n > 0 && length(ticks) > roomy; n--) ticks = at(n);
  if (ticks.length > 1) return ticks;
  // No two round numbers fit: the ends say what the colours span, whatever their numbers are.
  const ends = [low, high].map((value, end) => ({ value, at: end, text: formatNumber(value, 2) }));
  const zero = low < 0 && high > 0 ? [{ value: 0, at: scale(0), text: "0" }] : [];
  return [ends[0]!, ...zero, ends[1]!];
}
