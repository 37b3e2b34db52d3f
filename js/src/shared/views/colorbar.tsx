/** The colours of a heatmap with their numbers. */

import { cssGradient, cssOverGradient, legendGround } from "../data/colormaps.ts";
import { formatNumber } from "../data/format.ts";
import { AxisTicks } from "./axis.tsx";

interface ColorBarProps {
  /** The values at the two ends; null while there is nothing to show, which keeps the place. */
  range: [number, number] | null;
  colormap: string;
  /** What the numbers are, for those who do not see the bar. */
  label: string;
  ticks?: number;
  /** How much of the picture beneath shows: null for a map that stands for itself. */
  opacity?: number | null;
}

export function ColorBar({ range, colormap, label, ticks, opacity = null }: ColorBarProps) {
  if (!range) return <div class="xw-colorbar" />;
  const ends = `from ${formatNumber(range[0])} to ${formatNumber(range[1])}`;
  return (
    <div class="xw-colorbar" role="img" aria-label={`Colours: ${label} ${ends}`}>
      <div class="xw-ramp" style={rampOf(colormap, opacity)} />
      <AxisTicks range={range} {...(ticks === undefined ? {} : { count: ticks })} />
    </div>
  );
}

/** Colours as they look over a picture's middle grey, or by themselves. */
function rampOf(colormap: string, opacity: number | null): Record<string, string> {
  if (opacity === null) return { backgroundImage: cssGradient(colormap) };
  const ground = `rgb(${legendGround} ${legendGround} ${legendGround})`;
  return { backgroundColor: ground, backgroundImage: cssOverGradient(colormap, opacity) };
}
