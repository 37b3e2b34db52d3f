/** The colours of a heatmap with their numbers. */
import { cssGradient } from "../data/colormaps.ts";
import { formatNumber } from "../data/format.ts";
import { AxisTicks } from "./axis.tsx";

interface ColorBarProps {
  /** The values at the two ends; null while there is nothing to show, which keeps the place. */
  range: [number, number] | null;
  colormap: string;
  /** What the numbers are, for those who do not see the bar. */
  label: string;
  ticks?: number;
}

export function ColorBar({ range, colormap, label, ticks }: ColorBarProps) {
  if (!range) return <div class="xw-colorbar" />;
  const ends = `from ${formatNumber(range[0])} to ${formatNumber(range[1])}`;
  return (
    <div class="xw-colorbar" role="img" aria-label={`Colours: ${label} ${ends}`}>
      <div class="xw-ramp" style={{ backgroundImage: cssGradient(colormap) }} />
      <AxisTicks range={range} {...(ticks === undefined ? {} : { count: ticks })} />
    </div>
  );
}
