/** The legend of one pane: colours with numbers, label and unit. */
import { computed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { AxisTicks } from "../shared/axis.tsx";
import { cssGradient } from "../shared/colormaps.ts";
import { formatNumber } from "../shared/format.ts";
import { type contentOf, type Pane, unitOf } from "./panes.ts";

export function ColorBar({
  pane,
  content,
}: {
  pane: Pane;
  content: { readonly value: ReturnType<typeof contentOf> };
}) {
  // Only what the bar shows: it must not render again while the threshold moves.
  const legend = useMemo(
    () =>
      computed(() =>
        content.value ? JSON.stringify([content.value.paint.range, content.value.paint.colormap]) : "",
      ),
    [content],
  ).value;
  if (!legend) return <div class="xw-colorbar" />;
  const [range, colormap] = JSON.parse(legend) as [[number, number], string];
  const { label } = pane.view;
  const unit = unitOf(pane.view);
  const name = unit ? `${label} (${unit})` : label;
  return (
    <div
      class="xw-colorbar"
      role="img"
      aria-label={`Colours: ${name} from ${formatNumber(range[0])} to ${formatNumber(range[1])}`}
    >
      <div class="xw-ramp" style={{ backgroundImage: cssGradient(colormap) }} />
      <AxisTicks range={range} />
    </div>
  );
}
