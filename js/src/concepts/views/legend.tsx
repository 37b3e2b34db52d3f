/** The colours of the heatmaps: the same on the image and on a concept, each around its zero. */
import { aroundZero, type HeatMap } from "../../shared/data/picture.ts";
import { nothingBut } from "../../shared/drawing/painter.ts";
import { MapLegend } from "../../shared/views/map-legend.tsx";
import { useStore } from "./context.ts";

export function Relevance({ map }: { map: HeatMap }) {
  const { colormap, opacity, picture, overlay } = useStore().state;
  const range = aroundZero(map.extent);
  return (
    <MapLegend
      range={range}
      colormap={colormap.value}
      label="relevance"
      ticks={3}
      opacity={opacity.value}
      beneath={picture.value}
      style={overlay.value}
      nothingBut={nothingBut({ map, range })}
    />
  );
}
