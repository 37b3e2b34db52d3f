/** The value under the pointer. */
import { type Signal, useSignal } from "@preact/signals";
import { formatNumber } from "../../shared/data/format.ts";
import { cellAt } from "../../shared/data/numbers.ts";
import type { HeatMap } from "../../shared/data/picture.ts";
import { pointAt } from "../../shared/drawing/place.ts";

export interface Pixel {
  /** Where the pointer is, as shares of the frame. */
  at: Signal<[number, number] | null>;
  handlers: { onPointerMove: (event: PointerEvent) => void; onPointerLeave: () => void };
}

export function usePixel(): Pixel {
  const at = useSignal<[number, number] | null>(null);
  return {
    at,
    handlers: {
      onPointerMove: (event) => {
        at.value = pointAt(event.currentTarget as Element, event);
      },
      onPointerLeave: () => {
        at.value = null;
      },
    },
  };
}

export function PixelValue({ pixel, map }: { pixel: Pixel; map: HeatMap | null }) {
  const at = pixel.at.value;
  if (!at || !map) return <span class="xw-caption-value" />;
  return (
    <span class="xw-caption-value">
      {formatNumber(map.at(cellAt(at[0], map.width), cellAt(at[1], map.height)))}
    </span>
  );
}
