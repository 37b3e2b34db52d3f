/** What stands on a picture besides its pixels: cross hairs, the tooltip, and the value in the caption. */
import { frameAt } from "../../shared/data/viewport.ts";
import { useView } from "./context.ts";
import { copyReading } from "./numbers.ts";
import type { contentOf, Pane } from "./panes.ts";
import { readPixel } from "./reading.ts";

/** A pane's content as a signal: reading it subscribes. */
export type Content = { readonly value: ReturnType<typeof contentOf> };

/** The value under the pointer, else at the pinned pixel. */
export function PointValue({ pane, content }: { pane: Pane; content: Content }) {
  const { store, hover } = useView();
  const at = hover.value ?? store.state.selection.value;
  const reading = at && content.value ? readPixel(pane, content.value, at.x, at.y) : null;
  if (!reading || hover.value) return <span class="xw-caption-value">{reading?.value ?? ""}</span>;
  // Of the pinned pixel: it can be taken along.
  return (
    <button
      type="button"
      class="xw-caption-value xw-copy"
      title={`${reading.place}: press to copy`}
      aria-label={`Copy ${reading.value}`}
      onClick={() => copyReading(store, reading.value)}
    >
      {reading.value}
    </button>
  );
}

/** Cross hairs at the pinned and the pointed pixel, and the tooltip beside the pointer. */
export function Markers({ pane, content }: { pane: Pane; content: Content }) {
  const { store, hover } = useView();
  const pinned = store.state.selection.value;
  const over = hover.value;
  const now = content.value;
  const size = now?.paint.map ?? store.picture.value;
  if (!size) return null;
  const { width, height } = size;
  const place = ({ x, y }: { x: number; y: number }) => {
    const [u, v] = frameAt(store.state.zoom.value, (x + 0.5) / width, (y + 0.5) / height);
    return { u, v, inside: u >= 0 && v >= 0 && u <= 1 && v <= 1 };
  };
  const pin = pinned ? place(pinned) : null;
  const point = over ? place(over) : null;
  const own = over?.pane === pane.key;
  const picture = store.picture.value;
  const region =
    over && picture ? (store.places.value?.regions?.classAt(over.x, over.y, picture) ?? null) : null;
  const reading = over && own && now ? readPixel(pane, now, over.x, over.y) : null;
  return (
    <>
      {pin?.inside && <span class="xw-pin" style={{ left: `${pin.u * 100}%`, top: `${pin.v * 100}%` }} />}
      {point?.inside && !own && (
        <span class="xw-point" style={{ left: `${point.u * 100}%`, top: `${point.v * 100}%` }} />
      )}
      {point && reading && (
        <div
          class="xw-tooltip"
          data-left={point.u > 0.55}
          data-above={point.v > 0.7}
          style={{ left: `${point.u * 100}%`, top: `${point.v * 100}%` }}
        >
          <b>{reading.value}</b>
          <span>{reading.place}</span>
          {reading.sureness && <span>{reading.sureness}</span>}
          {region !== null && <span>predicted: {store.className(region)}</span>}
        </div>
      )}
    </>
  );
}
