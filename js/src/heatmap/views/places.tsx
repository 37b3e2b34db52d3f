/** What lies over a picture to be pointed at: lines around regions, the boxes of a detector, and what asks by click and by drag. */
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { cellAt } from "../../shared/data/numbers.ts";
import { frameAt, pictureAt } from "../../shared/data/viewport.ts";
import { pointAt } from "../../shared/drawing/place.ts";
import { boxOf } from "../state/places.ts";
import type { Box, FoundBox } from "../types.ts";
import { useView } from "./context.ts";
import { marksOf, strokesOf, viewBoxOf } from "./marks.ts";
import { imageOf, type Pane } from "./panes.ts";

const slop = 4; // screen pixels a finger may tremble and still click

export function PlaceLayer({ pane }: { pane: Pane }) {
  const { store, hover, asking } = useView();
  const drawn = useSignal<Box | null>(null);
  const here = imageOf(store, pane) === store.state.image.value && !pane.of;
  const places = store.placesOf(imageOf(store, pane));
  if (!places || !store.picture.value) return null;
  const asks = asking.value && store.canCompute.value && here;
  const over = hover.value;
  const pointed = asks && over?.pane === pane.key && drawn.value === null ? over : null;
  return (
    <>
      <svg class="xw-places" viewBox={viewBoxOf(store)} preserveAspectRatio="none" aria-hidden="true">
        {marksOf(store, pane, pointed).map(({ kind, path, scale }, i) => (
          <g key={`${kind}${i}`} data-kind={kind} transform={`scale(${scale[0]} ${scale[1]})`}>
            {strokesOf(kind).map(({ stroke, width }) => (
              <path key={stroke} d={path} stroke={stroke} stroke-width={width} />
            ))}
          </g>
        ))}
      </svg>
      {asks && places.drawn && <AskLayer drawn={drawn} />}
      {here && store.state.found.value && places.boxes?.length ? <FoundBoxes boxes={places.boxes} /> : null}
      {drawn.value && <Rectangle box={drawn.value} class="xw-drawn" />}
    </>
  );
}

/** Takes a click for a region, and a drag for a box. */
function AskLayer({ drawn }: { drawn: { value: Box | null } }) {
  const { store } = useView();
  const start = useRef<{ x: number; y: number; at: [number, number] } | null>(null);
  const pixelAt = (event: PointerEvent) => {
    const { width, height } = store.picture.peek()!;
    const [px, py] = pictureAt(store.state.zoom.peek(), ...pointAt(event.currentTarget as Element, event));
    return { x: cellAt(px, width), y: cellAt(py, height) };
  };
  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    // The frame beneath would pin the pixel, or move the picture.
    event.stopPropagation();
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    start.current = { ...pixelAt(event), at: [event.clientX, event.clientY] };
    store.committer.begin();
  };
  const move = (event: PointerEvent) => {
    const from = start.current;
    if (!from) return;
    const far = Math.hypot(event.clientX - from.at[0], event.clientY - from.at[1]) > slop;
    if (far || drawn.value) drawn.value = boxOf(from, pixelAt(event));
  };
  const up = (event: PointerEvent) => {
    const from = start.current;
    if (!from) return;
    start.current = null;
    const box = drawn.value;
    drawn.value = null;
    store.committer.end();
    if (event.type !== "pointerup") return;
    store.askAbout(box ? { box } : { point: [from.x, from.y] });
  };
  return (
    <div
      class="xw-ask-layer"
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={up}
    />
  );
}

/** The boxes of a detector; the larger ones lie beneath, so that all can be clicked. */
function FoundBoxes({ boxes }: { boxes: readonly FoundBox[] }) {
  const { store, asking } = useView();
  const area = ({ box: [left, top, right, bottom] }: FoundBox) => (right - left) * (bottom - top);
  const clickable = asking.value && store.canCompute.value;
  return (
    <>
      {[...boxes]
        .sort((a, b) => area(b) - area(a))
        .map((found) => (
          <button
            key={found.number}
            type="button"
            tabIndex={-1}
            class="xw-found"
            disabled={!clickable}
            aria-pressed={store.isAsked(found)}
            style={placed(store.state.zoom.value, found.box, store.picture.value!)}
            onPointerDown={(event) => event.stopPropagation()}
            onClick={() => store.askAbout({ found: found.number })}
          >
            <span>{store.boxLabel(found.label, found.share)}</span>
          </button>
        ))}
    </>
  );
}

function Rectangle({ box, class: name }: { box: Box; class: string }) {
  const { store } = useView();
  return <span class={name} style={placed(store.state.zoom.value, box, store.picture.value!)} />;
}

/** A box of the picture as a place in the frame. */
function placed(
  zoom: [number, number, number],
  [left, top, right, bottom]: Box,
  { width, height }: { width: number; height: number },
) {
  const [u, v] = frameAt(zoom, left / width, top / height);
  const [s, t] = frameAt(zoom, right / width, bottom / height);
  const percent = (share: number) => `${share * 100}%`;
  return { left: percent(u), top: percent(v), width: percent(s - u), height: percent(t - v) };
}
