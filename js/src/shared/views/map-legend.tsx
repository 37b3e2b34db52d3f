/** What the colours, or the outlines, of a heatmap mean. */
import { isSigned } from "../data/colormaps.ts";
import { formatPercent } from "../data/format.ts";
import { outlined } from "../data/outlines.ts";
import { flatText } from "../data/words.ts";
import { lineColour, lineWidths } from "../drawing/outlines.ts";
import type { Beneath, OverlayStyle } from "../types.ts";
import { ColorBar } from "./colorbar.tsx";

interface MapLegendProps {
  /** The values at the two ends; null while there is nothing to show, which keeps the place. */
  range: [number, number] | null;
  colormap: string;
  /** What the numbers are, for those who do not see the bar. */
  label: string;
  ticks?: number;
  opacity: number;
  beneath: Beneath;
  style: OverlayStyle;
  /** The one value of a map that has no colours, as it says nothing; null for others. */
  nothingBut?: number | null;
}

export function MapLegend({ style, beneath, opacity, nothingBut = null, ...bar }: MapLegendProps) {
  if (nothingBut !== null && bar.range)
    return <div class="xw-colorbar xw-no-colours">{flatText(nothingBut)}</div>;
  if (style === "outlines" && bar.range) return <OutlineKey colormap={bar.colormap} label={bar.label} />;
  return <ColorBar {...bar} opacity={beneath === "none" ? null : opacity} />;
}

function OutlineKey({ colormap, label }: { colormap: string; label: string }) {
  const signs = isSigned(colormap) ? ([1, -1] as const) : ([1] as const);
  const shares = [...outlined].reverse();
  return (
    <div
      class="xw-outline-key"
      role="img"
      aria-label={`Outlines: the ${shares.map(formatPercent).join(", ")} of the pixels with the largest ${label}`}
    >
      <span>strongest</span>
      {shares.map((share) => (
        <span key={share}>
          {signs.map((sign) => (
            <i
              key={sign}
              style={{
                borderTopColor: lineColour(colormap, sign),
                borderTopWidth: `${lineWidths[share]}px`,
              }}
            />
          ))}
          {formatPercent(share)}
        </span>
      ))}
    </div>
  );
}
