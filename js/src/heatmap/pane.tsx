/** One picture under its heatmap: canvas, gestures, keys, tooltip, pinned pixel and colour bar. */
import { computed, effect } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { FrameJob } from "../shared/frames.ts";
import { listenToGestures } from "../shared/gestures.ts";
import {
  clampViewport,
  frameAt,
  panBy,
  pictureAt,
  type Viewport,
  wholePicture,
  zoomAround,
} from "../shared/viewport.ts";
import { ColorBar } from "./colorbar.tsx";
import { useView } from "./context.ts";
import { drawLayers } from "./draw.ts";
import { Painter } from "./painter.ts";
import { contentOf, type Pane } from "./panes.ts";
import { readPixel } from "./reading.ts";

const sharpest = 2; // device pixels a CSS pixel; more costs time and shows nothing

export function PaneView({ pane }: { pane: Pane }) {
  const { store, hover } = useView();
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  // One signal a pane: the canvas, the tooltip and the colour bar all read the same content.
  const content = useMemo(() => computed(() => contentOf(store, pane)), [store, pane]);
  const picture = store.picture.value;
  const current = useMemo(() => computed(() => content.value?.current ?? false), [content]).value;
  const empty = useMemo(() => computed(() => content.value === null), [content]).value;
  const aspect = picture ? picture.width / picture.height : 1;

  useEffect(() => {
    const context = canvas.current!.getContext("2d")!;
    const painter = new Painter();
    const draw = new FrameJob(() => {
      const now = content.peek();
      if (now) painter.paint(now.paint);
      drawLayers(context, {
        picture: store.picture.peek(),
        heat: now ? painter.canvas : null,
        opacity: store.state.opacity.peek(),
        viewport: store.state.zoom.peek(),
      });
    }, "xw:draw");
    const size = new ResizeObserver(([entry]) => {
      const density = Math.min(sharpest, window.devicePixelRatio || 1);
      canvas.current!.width = Math.max(1, Math.round(entry!.contentRect.width * density));
      canvas.current!.height = Math.max(1, Math.round(entry!.contentRect.height * density));
      draw.request();
    });
    size.observe(frame.current!);
    const stop = effect(() => {
      // Read, so that a change of any of them draws again; the drawing itself waits for the frame.
      void [content.value, store.picture.value, store.state.opacity.value, store.state.zoom.value];
      draw.request();
    });
    return () => {
      stop();
      size.disconnect();
      draw.dispose();
    };
  }, [store, content]);

  useEffect(() => {
    const pixelAt = ([u, v]: [number, number]): { x: number; y: number } | null => {
      const map = content.peek()?.paint.map;
      if (!map || u < 0 || v < 0 || u > 1 || v > 1) return null;
      const [px, py] = pictureAt(store.state.zoom.peek(), u, v);
      const within = (share: number, n: number) => Math.min(n - 1, Math.max(0, Math.floor(share * n)));
      return { x: within(px, map.width), y: within(py, map.height) };
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

  const onKeyDown = (event: KeyboardEvent) => {
    const size = content.peek()?.paint.map;
    const change =
      event.ctrlKey || event.metaKey || event.altKey ? null : zoomKey(event, store.state.zoom.peek());
    if (change) store.set("zoom", change);
    else if (size && pinKey(event, size.width, size.height)) void 0;
    else return;
    event.preventDefault();
    event.stopPropagation(); // the notebook has commands on the same keys
  };

  /** Enter pins the middle of what is in view, Shift and an arrow move the pin, Escape takes it away. */
  const pinKey = (event: KeyboardEvent, width: number, height: number): boolean => {
    const pinned = store.state.selection.peek();
    const [, cx, cy] = clampViewport(store.state.zoom.peek());
    const moves: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const move = event.shiftKey ? moves[event.key] : undefined;
    if (event.key === "Escape" && pinned) store.set("selection", null);
    else if (event.key === "Enter" || (move && !pinned)) {
      store.set("selection", { x: Math.floor(cx * width), y: Math.floor(cy * height) });
    } else if (move && pinned) {
      const step = Math.max(1, Math.round(Math.max(width, height) / 64));
      const inside = (v: number, n: number) => Math.min(n - 1, Math.max(0, v));
      store.set("selection", {
        x: inside(pinned.x + move[0] * step, width),
        y: inside(pinned.y + move[1] * step, height),
      });
    } else return false;
    return true;
  };

  return (
    <figure class="xw-pane" data-pane={pane.key}>
      <figcaption class="xw-caption">
        <span class="xw-caption-label">{pane.label}</span>
        <PointValue pane={pane} content={content} />
      </figcaption>
      <div
        ref={frame}
        class="xw-frame"
        data-stale={!current}
        role="application"
        aria-roledescription="heatmap"
        aria-label={`${pane.label}. Plus and minus zoom, arrows move, zero resets, Enter reads the middle pixel.`}
        tabIndex={0}
        style={{ "--xw-aspect": aspect }}
        onKeyDown={onKeyDown}
      >
        <canvas ref={canvas} class="xw-canvas" />
        <Markers pane={pane} content={content} />
        {empty && (
          <p class="xw-empty">{picture ? "waiting for the first result" : "waiting for the picture"}</p>
        )}
      </div>
      <ColorBar pane={pane} content={content} />
    </figure>
  );
}

function zoomKey(event: KeyboardEvent, viewport: Viewport): Viewport | null {
  const far = 0.12; // of the frame, an arrow key
  if (event.key === "+" || event.key === "=") return zoomAround(viewport, 1.25, 0.5, 0.5);
  if (event.key === "-" || event.key === "_") return zoomAround(viewport, 0.8, 0.5, 0.5);
  if (event.key === "0") return wholePicture;
  if (event.shiftKey) return null;
  const moves: Record<string, [number, number]> = {
    ArrowLeft: [far, 0],
    ArrowRight: [-far, 0],
    ArrowUp: [0, far],
    ArrowDown: [0, -far],
  };
  const move = moves[event.key];
  return move ? panBy(viewport, ...move) : null;
}

type Content = { readonly value: ReturnType<typeof contentOf> };

/** The value under the pointer, else at the pinned pixel. */
function PointValue({ pane, content }: { pane: Pane; content: Content }) {
  const { store, hover } = useView();
  const at = hover.value ?? store.state.selection.value;
  const reading = at && content.value ? readPixel(pane, content.value, at.x, at.y) : null;
  return <span class="xw-caption-value">{reading?.value ?? ""}</span>;
}

/** Cross hairs at the pinned and the pointed pixel, and the tooltip beside the pointer. */
function Markers({ pane, content }: { pane: Pane; content: Content }) {
  const { store, hover } = useView();
  const pinned = store.state.selection.value;
  const over = hover.value;
  const now = content.value;
  if (!now) return null;
  const { width, height } = now.paint.map;
  const place = ({ x, y }: { x: number; y: number }) => {
    const [u, v] = frameAt(store.state.zoom.value, (x + 0.5) / width, (y + 0.5) / height);
    return { u, v, inside: u >= 0 && v >= 0 && u <= 1 && v <= 1 };
  };
  const pin = pinned ? place(pinned) : null;
  const point = over ? place(over) : null;
  const own = over?.pane === pane.key;
  const reading = over && own ? readPixel(pane, now, over.x, over.y) : null;
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
        </div>
      )}
    </>
  );
}
