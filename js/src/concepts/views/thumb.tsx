/** One small picture of a concept. */
import { useLayoutEffect, useRef } from "preact/hooks";
import { useStore } from "./context.ts";

export function Thumb({ layer, concept, slot = 0 }: { layer: string; concept: number; slot?: number }) {
  const store = useStore();
  const canvas = useRef<HTMLCanvasElement>(null);
  const tile = store.tile(layer, concept, slot);
  useLayoutEffect(() => {
    if (!tile || !canvas.current) return;
    canvas.current.width = tile.width;
    canvas.current.height = tile.height;
    canvas.current.getContext("2d")!.putImageData(tile, 0, 0);
  }, [tile]);
  const waiting = store.canCompute.value && store.progress.value.state !== "stopped";
  const state = tile ? "there" : tile === null || !waiting ? "none" : "coming";
  return (
    <span class="xw-thumb" data-state={state}>
      {tile && <canvas ref={canvas} />}
    </span>
  );
}

/** All small pictures of a concept, side by side. */
export function Thumbs({ layer, concept }: { layer: string; concept: number }) {
  const slots = useStore().slots(layer);
  return (
    <span class="xw-thumbs" data-slots={slots}>
      {Array.from({ length: slots }, (_, slot) => (
        <Thumb key={slot} layer={layer} concept={concept} slot={slot} />
      ))}
    </span>
  );
}
