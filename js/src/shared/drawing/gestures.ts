/**
 * Pointer, wheel and touch on a zoomable picture. Knows nothing of what is drawn: it reads and writes a
 * viewport, and tells where the pointer is.
 */
import { clamp } from "../data/numbers.ts";
import { panBy, type Viewport, wholePicture, zoomAround } from "../data/viewport.ts";
import { take } from "./keys.ts";
import { pointAt } from "./place.ts";

export interface GestureTarget {
  viewport: () => Viewport;
  setViewport: (viewport: Viewport) => void;
  begin: () => void;
  end: () => void;
  /** The pointer is over a point of the frame (0..1), or has left. */
  hover: (at: [number, number] | null) => void;
  /** A press without a drag. */
  click: (at: [number, number]) => void;
}

const clickSlop = 4; // px a finger may tremble and still click
const notch = 40; // px of a wheel's smallest step
const wheelRest = 400; // ms after which a wheel gesture is over

export function listenToGestures(element: HTMLElement, target: GestureTarget): () => void {
  const pointers = new Map<number, { x: number; y: number }>();
  let travelled = 0;
  let wheelTimer: ReturnType<typeof setTimeout> | undefined;
  let armed = false; // pressed, and not left since: the wheel is then meant for the picture

  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    armed = true;
    if (pointers.size === 0) {
      travelled = 0;
      target.begin();
    }
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    element.setPointerCapture(event.pointerId);
  };

  const move = (event: PointerEvent) => {
    const before = pointers.get(event.pointerId);
    if (!before) {
      target.hover(pointAt(element, event));
      return;
    }
    const box = element.getBoundingClientRect();
    const dx = event.clientX - before.x;
    const dy = event.clientY - before.y;
    travelled += Math.abs(dx) + Math.abs(dy);
    if (travelled <= clickSlop) return;
    const others = [...pointers.entries()].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    const [other] = others;
    if (other) {
      const spread = (x: number, y: number) => Math.hypot(x - other.x, y - other.y) || 1;
      const factor = spread(event.clientX, event.clientY) / spread(before.x, before.y);
      const [u, v] = pointAt(element, {
        clientX: (event.clientX + other.x) / 2,
        clientY: (event.clientY + other.y) / 2,
      });
      target.setViewport(zoomAround(target.viewport(), factor, u, v));
    }
    const share = 1 / pointers.size; // two fingers move the picture by the mean of their ways
    target.setViewport(panBy(target.viewport(), (dx / box.width) * share, (dy / box.height) * share));
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  };

  const up = (event: PointerEvent) => {
    if (!pointers.delete(event.pointerId) || pointers.size > 0) return;
    target.end();
    if (event.type === "pointerup" && travelled <= clickSlop) target.click(pointAt(element, event));
  };

  const leave = () => {
    armed = false;
    target.hover(null);
  };

  const wheel = (event: WheelEvent) => {
    const zoomsIn = event.deltaY < 0;
    // The wheel is the page's, unless it is meant for the picture beyond doubt.
    const meant = event.ctrlKey || event.metaKey;
    if (!meant && !(armed && (zoomsIn || target.viewport()[0] > 1))) return;
    take(event);
    if (wheelTimer === undefined) target.begin();
    clearTimeout(wheelTimer);
    wheelTimer = setTimeout(endWheel, wheelRest);
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1);
    const pinched = event.ctrlKey && Math.abs(pixels) < notch; // on a trackpad, which comes as small deltas with ctrlKey
    const speed = pinched ? 0.01 : 0.002;
    const [u, v] = pointAt(element, event);
    const factor = Math.exp(-clamp(pixels, -240, 240) * speed);
    target.setViewport(zoomAround(target.viewport(), factor, u, v));
  };

  const endWheel = () => {
    wheelTimer = undefined;
    target.end();
  };

  const reset = () => target.setViewport(wholePicture);

  const listeners: [EventTarget, string, (event: never) => void, AddEventListenerOptions?][] = [
    [element, "pointerdown", down],
    [element, "pointermove", move],
    [element, "pointerup", up],
    [element, "pointercancel", up],
    [element, "pointerleave", leave],
    [element, "wheel", wheel, { passive: false }],
    [element, "dblclick", reset],
  ];
  for (const [on, type, handler, options] of listeners) {
    on.addEventListener(type, handler as EventListener, options);
  }
  return () => {
    if (wheelTimer !== undefined) {
      clearTimeout(wheelTimer);
      endWheel();
    }
    for (const [on, type, handler, options] of listeners) {
      on.removeEventListener(type, handler as EventListener, options);
    }
  };
}
