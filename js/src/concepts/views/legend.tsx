/** The colours of the heatmaps: the same on the image and on a concept, each around its zero. */
import { aroundZero, type HeatMap } from "../../shared/data/picture.ts";
import { MapLegend } from "../../shared/views/map-legend.tsx";
import { useStore } from "./context.ts";

export function Relevance({ map }: { map: HeatMap }) {
  const { colormap, opacity, picture, overlay } = useStore().state;
  return (
    <MapLegend
      range={aroundZero(map.extent)}
      colormap={colormap.value}
      label="relevance"
      ticks={3}
      opacity={opacity.value}
      beneath={picture.value}
      style={overlay.value}
    />
  );
}
