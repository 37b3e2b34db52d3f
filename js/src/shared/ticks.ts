/** Round numbers along a range, for axes and colour bars. */
import { scaleLinear } from "d3-scale";
import { formatNumber } from "./format.ts";

export interface Tick {
  value: number;
  /** Share of the axis' length. */
  at: number;
  text: string;
}

export function ticksOf([low, high]: [number, number], count = 4): Tick[] {
  if (!(high > low)) return [{ value: low, at: 0.5, text: formatNumber(low) }];
  const scale = scaleLinear([low, high], [0, 1]);
  return scale.ticks(count).map((value) => ({ value, at: scale(value), text: formatNumber(value, 4) }));
}
