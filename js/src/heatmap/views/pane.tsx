/** One picture under its heatmap: canvas, gestures, keys, tooltip, pinned pixel and colour bar. */
import { computed } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { HelpButton } from "../../shared/controls/help.tsx";
import { ZoomChip } from "../../shared/controls/zoom-chip.tsx";
import { cellAt } from "../../shared/data/numbers.ts";
import { pictureAt } from "../../shared/data/viewport.ts";
import { listenToGestures } from "../../shared/drawing/gestures.ts";
import { pictureKeys } from "../../shared/drawing/keys.ts";
import { aspectOf } from "../../shared/drawing/place.ts";
import { useView } from "./context.ts";
import { LayerChip } from "./depth.tsx";
import { keepPaneDrawn } from "./draw.ts";
import { askKey, pinKey, zoomKey } from "./keys.ts";
import { PaneLegend } from "./legend.tsx";
import { Markers, PointValue } from "./markers.tsx";
import { PaneNotes } from "./notes.tsx";
import { copyReading } from "./numbers.ts";
import {
  contentOf,
  imageOf,
  isAnswer,
  type MapPane,
  type Pane,
  type PaneContent,
  refusalOf,
  showsMap,
  unitOf,
} from "./panes.ts";
import { PlaceLayer } from "./places.tsx";
import { readPixel } from "./reading.ts";
import { stillText } from "./words.ts";

export function PaneView({ pane }: { pane: Pane }) {
  const { store, hover, asking, corner } = useView();
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  // One signal a pane: the canvas, the tooltip and the colour bar all read the same content.
  const content = useMemo(() => computed(() => contentOf(store, pane)), [store, pane]);
  const picture = store.pictureOf(imageOf(store, pane));
  const current = useMemo(() => computed(() => content.value?.current ?? false), [content]).value;
  const refusal = useMemo(() => computed(() => refusalOf(store, pane)), [store, pane]).value;
  const empty = useMemo(() => computed(() => content.value === null), [content]).value;

  useLayoutEffect(() => keepPaneDrawn(canvas.current!, store, pane, content), [store, pane, content]);

  useLayoutEffect(() => {
    const pixelAt = ([u, v]: [number, number]): { x: number; y: number } | null => {
      const map = content.peek()?.paint.map ?? store.pictures.peek().get(imageOf(store, pane));
      if (!map || u < 0 || v < 0 || u > 1 || v > 1) return null;
      const [px, py] = pictureAt(store.state.zoom.peek(), u, v);
      return { x: cellAt(px, map.width), y: cellAt(py, map.height) };
    };
    const stop = listenToGestures(frame.current!, {
      viewport: () => store.state.zoom.peek(),
      setViewport: (viewport) => store.set("zoom", viewport),
      begin: () => store.committer.begin(),
      end: () => store.committer.end(),
      hover: (at) => {
        const pixel = at && pixelAt(at);
        hover.value = pixel ? { ...pixel, pane: pane.key } : null;
      },
      click: (at) => {
        const pixel = pixelAt(at);
        const pinned = store.state.selection.peek();
        const again = pixel && pinned && pixel.x === pinned.x && pixel.y === pinned.y;
        store.set("selection", again ? null : pixel);
      },
    });
    return () => {
      stop();
      if (hover.peek()?.pane === pane.key) hover.value = null;
    };
  }, [store, content, pane, hover]);

  const onKeyDown = pictureKeys((event) => {
    const map = content.peek()?.paint.map ?? store.picture.peek();
    const zoom = zoomKey(event, store.state.zoom.peek());
    const pin = map && pinKey(event, store.state.selection.peek(), store.state.zoom.peek(), map);
    const asked = asking.peek() ? askKey(event, store, corner) : false;
    if (asked) return true;
    const at = hover.peek() ?? store.state.selection.peek();
    const reading = at && content.peek() ? readPixel(pane, content.peek()!, at.x, at.y) : null;
    if (event.key === "c" && reading) copyReading(store, reading.value);
    else if (zoom) store.set("zoom", zoom);
    else if (pin !== undefined) store.set("selection", pin);
    else return false;
    return true;
  });

  // Of models beside each other their names: what is counted stands in words beneath.
  const ofModels = store.comparison.by.value === "model" && isAnswer(pane);
  const small = ofModels ? pane.method.model_name : showsMap(pane) ? unitOf(pane.view) : "";
  return (
    <figure class="xw-pane" data-pane={pane.key} style={{ "--xw-aspect": aspectOf(picture) }}>
      <figcaption class="xw-caption">
        <span class="xw-caption-label">
          {pane.label} {small && <small>{small}</small>}{" "}
          {showsMap(pane) && <HelpButton of={pane.view.label} help={pane.view.help} />}
        </span>
        <PointValue pane={pane} content={content} />
      </figcaption>
      <div
        ref={frame}
        class="xw-frame"
        data-stale={showsMap(pane) && !current && !refusal}
        data-zoomed={store.state.zoom.value[0] > 1}
        role="application"
        aria-roledescription="heatmap"
        aria-label={`${pane.label}. Plus and minus zoom, arrows move, zero resets, Enter reads the middle pixel, C copies what is read.${
          store.places.value?.drawn
            ? " Enter again asks about the region there, B at two corners about a box."
            : ""
        }`}
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        <canvas ref={canvas} class="xw-canvas" />
        <PlaceLayer pane={pane} />
        <Markers pane={pane} content={content} />
        {showsMap(pane) && <LayerChip pane={pane} content={content} />}
        <ZoomChip viewport={store.state.zoom.value} onChange={(viewport) => store.set("zoom", viewport)} />
        {showsMap(pane) && !current && <Waiting pane={pane} empty={empty} picture={picture !== null} />}
        {isAnswer(pane) && !current && <Still pane={pane} content={content} />}
        {refusal && <p class="xw-empty xw-refusal">{refusal}</p>}
      </div>
      {showsMap(pane) ? <PaneLegend pane={pane} content={content} /> : <div class="xw-colorbar" />}
      {store.comparison.by.value && <PaneNotes pane={pane} />}
    </figure>
  );
}

/** Of an older answer that stands in: what it explains. */
function Still({ pane, content }: { pane: MapPane; content: { readonly value: PaneContent | null } }) {
  const { store } = useView();
  if (!content.value || !store.canCompute.value) return null;
  const text = stillText(store, pane, content.value);
  return (
    <p class="xw-still" title={text}>
      {text}
    </p>
  );
}

/** Why there is nothing to see, or not yet what was asked for. */
function Waiting({ pane, empty, picture }: { pane: Pane; empty: boolean; picture: boolean }) {
  const { store } = useView();
  if (refusalOf(store, pane)) return null;
  if (!store.canCompute.value) return <p class="xw-empty xw-note">not saved here: it needs a kernel</p>;
  if (!empty) return null;
  if (store.state.status.value.state === "error") return <p class="xw-empty">there is no answer</p>;
  return <p class="xw-empty">{picture ? "waiting for the first result" : "waiting for the picture"}</p>;
}
