/** How far a picture is zoomed, and back: there is nothing while the whole of it is in view. */
import { formatNumber } from "../data/format.ts";
import { type Viewport, wholePicture } from "../data/viewport.ts";

export function ZoomChip({
  viewport,
  onChange,
}: {
  viewport: Viewport;
  onChange: (viewport: Viewport) => void;
}) {
  const [scale] = viewport;
  if (scale <= 1) return null;
  return (
    <button
      type="button"
      class="xw-zoom-chip"
      title="Show the whole picture"
      // The picture beneath would take the press for one of its own.
      onPointerDown={(event) => event.stopPropagation()}
      onDblClick={(event) => event.stopPropagation()}
      onClick={() => onChange(wholePicture)}
    >
      {formatNumber(scale, 2)}× <span aria-hidden="true">✕</span>
      <span class="xw-hidden">zoomed: show the whole picture</span>
    </button>
  );
}
