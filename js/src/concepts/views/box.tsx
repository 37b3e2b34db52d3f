/** The box on the image: drawn, moved and resized by pointer, touch and keys. */
import { useRef } from "preact/hooks";
import { pictureKeys } from "../../shared/drawing/keys.ts";
import type { Box } from "../types.ts";
import { boxBetween, boxKey, cursorOf, dragged, type Grip, gripAt, type Size } from "./boxes.ts";
import { useStore } from "./context.ts";

const reach = 9; // screen pixels around a side in which the pointer takes hold of it
const slop = 4; // screen pixels a finger may tremble and still click

interface Drag {
  from: [number, number];
  /** The box taken hold of, and by which sides; null: a new one is drawn. */
  held: { box: Box; grip: Grip } | null;
  travelled: boolean;
}

export function BoxLayer({ size }: { size: Size }) {
  const store = useStore();
  const { box } = store.state;
  const drag = useRef<Drag | null>(null);

  const place = ({ currentTarget, clientX, clientY }: PointerEvent) => {
    const frame = (currentTarget as Element).getBoundingClientRect();
    const pixels = size.width / frame.width; // of the image in one of the screen
    return {
      at: [(clientX - frame.left) * pixels, (clientY - frame.top) * pixels] as [number, number],
      pixels,
    };
  };
  const grip = (event: PointerEvent): Grip | null => {
    const { at, pixels } = place(event);
    return box.peek() && gripAt(box.peek()!, at[0], at[1], reach * pixels);
  };

  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    const target = event.currentTarget as HTMLElement;
    target.setPointerCapture(event.pointerId);
    const found = grip(event);
    drag.current = {
      from: place(event).at,
      held: found && box.peek() ? { box: box.peek()!, grip: found } : null,
      travelled: false,
    };
    store.committer.begin();
  };

  const move = (event: PointerEvent) => {
    const now = drag.current;
    const target = event.currentTarget as HTMLElement;
    if (!now) {
      target.style.cursor = cursorOf(grip(event));
      return;
    }
    const { at, pixels } = place(event);
    const [dx, dy] = [at[0] - now.from[0], at[1] - now.from[1]];
    now.travelled ||= Math.hypot(dx, dy) > slop * pixels;
    if (!now.travelled) return;
    const { held } = now;
    const next = held ? dragged(held.box, held.grip, dx, dy, size) : boxBetween(now.from, at, size);
    store.set("box", next);
  };

  const up = (event: PointerEvent) => {
    const now = drag.current;
    if (!now) return;
    drag.current = null;
    // A click beside the box takes it away.
    if (event.type === "pointerup" && !now.travelled && !now.held) store.set("box", null);
    store.committer.end();
  };

  const key = pictureKeys((event) => {
    const next = boxKey(event, box.peek(), size);
    if (next === undefined) return false;
    store.set("box", next);
    return true;
  });

  const shown = box.value;
  return (
    <div
      class="xw-box-layer"
      role="application"
      aria-roledescription="box on the image"
      aria-label={`${boxText(shown)} Enter makes a box, arrows move it, Shift and arrows resize it, Escape takes it away.`}
      tabIndex={0}
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={up}
      onKeyDown={key}
    >
      {shown && <Outline box={shown} size={size} />}
    </div>
  );
}

function boxText(box: Box | null): string {
  if (!box) return "No box.";
  const [left, top, right, bottom] = box;
  return `Box ${right - left} by ${bottom - top} pixels at column ${left}, row ${top}.`;
}

function Outline({ box: [left, top, right, bottom], size: { width, height } }: { box: Box; size: Size }) {
  const percent = (part: number, whole: number) => `${(part / whole) * 100}%`;
  return (
    <span
      class="xw-box"
      style={{
        left: percent(left, width),
        top: percent(top, height),
        width: percent(right - left, width),
        height: percent(bottom - top, height),
      }}
    >
      {["nw", "ne", "sw", "se"].map((corner) => (
        <i key={corner} data-corner={corner} />
      ))}
    </span>
  );
}
