/** Draws one pane, and draws it again when what it shows has changed. */
import type { ReadonlySignal } from "@preact/signals";
import { visiblePart } from "../../shared/data/viewport.ts";
import { keepDrawn, type Part } from "../../shared/drawing/canvas.ts";
import { type Overlay, OverlayPainter } from "../../shared/drawing/overlay.ts";
import type { HeatmapStore } from "../state/store.ts";
import { imageOf, type Pane, type PaneContent, showsMap, viewportOf } from "./panes.ts";

/** What a pane's picture is made of, as the store has it now; the picture alone is in its own colours. */
export function overlayOf(store: HeatmapStore, pane: Pane, content: PaneContent | null): Overlay {
  const { opacity, picture, overlay } = store.state;
  return {
    // Beneath what is of two images lies neither.
    picture: pane.of && pane.of[0].image !== pane.of[1].image ? null : store.pictureOf(imageOf(store, pane)),
    paint: content?.paint ?? null,
    opacity: opacity.value,
    beneath: showsMap(pane) ? picture.value : "colour",
    style: overlay.value,
    part: partOf(store),
  };
}

/** The part of the picture in view. */
function partOf(store: HeatmapStore): Part {
  const { left, top, size } = visiblePart(viewportOf(store));
  return { left, top, width: size, height: size };
}

/** Keeps a canvas in step with a store; returns what stops it. */
export function keepPaneDrawn(
  canvas: HTMLCanvasElement,
  store: HeatmapStore,
  pane: Pane,
  content: ReadonlySignal<PaneContent | null>,
): () => void {
  const painter = new OverlayPainter();
  let now = overlayOf(store, pane, null);
  const draw = (context: CanvasRenderingContext2D) => painter.draw(context, now);
  const watch = () => {
    now = overlayOf(store, pane, content.value);
  };
  return keepDrawn(canvas, draw, watch, "xw:draw");
}
