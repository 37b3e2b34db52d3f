/** The value under the pointer. */
import { type Signal, useSignal } from "@preact/signals";
import { formatNumber } from "../../shared/data/format.ts";
import type { HeatMap } from "../../shared/data/picture.ts";

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
      onPointerMove: ({ currentTarget, clientX, clientY }) => {
        const box = (currentTarget as Element).getBoundingClientRect();
        at.value = [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
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
  const within = (share: number, count: number) =>
    Math.min(count - 1, Math.max(0, Math.floor(share * count)));
  return (
    <span class="xw-caption-value">
      {formatNumber(map.at(within(at[0], map.width), within(at[1], map.height)))}
    </span>
  );
}
