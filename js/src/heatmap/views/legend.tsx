/** The legend of one pane: colours or outlines with numbers, label and unit. */
import { computed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { nothingBut } from "../../shared/drawing/painter.ts";
import { MapLegend } from "../../shared/views/map-legend.tsx";
import { useView } from "./context.ts";
import { type contentOf, type MapPane, unitOf } from "./panes.ts";

export function PaneLegend({
  pane,
  content,
}: {
  pane: MapPane;
  content: { readonly value: ReturnType<typeof contentOf> };
}) {
  const { opacity, picture, overlay } = useView().store.state;
  // Only what the bar shows: it must not render again while the threshold moves.
  const legend = useMemo(
    () =>
      computed(() =>
        content.value
          ? JSON.stringify([
              content.value.paint.range,
              content.value.paint.colormap,
              nothingBut(content.value.paint),
              content.value.layer?.name ?? "",
            ])
          : "",
      ),
    [content],
  ).value;
  const [range, colormap, nothing, layer] = legend
    ? (JSON.parse(legend) as [[number, number], string, number | null, string])
    : [null, "", null, ""];
  const label = layer ? `${pane.view.label} at ${layer}` : pane.view.label;
  const unit = unitOf(pane.view);
  return (
    <MapLegend
      range={range}
      colormap={colormap}
      label={unit ? `${label} (${unit})` : label}
      opacity={opacity.value}
      beneath={picture.value}
      style={overlay.value}
      nothingBut={nothing}
    />
  );
}
