/** The heatmap, and beside it the image as the model sees it at this step; newly flipped patches outlined on all. */
import { computed, effect } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { keepSharp } from "../../shared/drawing/canvas.ts";
import { FrameJob } from "../../shared/drawing/frames.ts";
import { ColorBar } from "../../shared/views/colorbar.tsx";
import { indexOf } from "../state/patches.ts";
import { type CurveOrder, type Patch, random } from "../types.ts";
import { useView } from "./context.ts";
import { drawPane, heatLook, isOrder, type PaneKind } from "./draw.ts";
import { decimalsFor, fixed, methodName, orderNames, orderShort } from "./words.ts";

export function Pictures() {
  const { store } = useView();
  const method = store.method.value;
  const orders = store.frameOrders.value;
  const name = (order: CurveOrder) => (method === random ? orderNames.random : orderNames[order]);
  // Two or four pictures: beside both orders, and where there is no heatmap, there is room for the image itself.
  const image = orders.length > 1 || method === random;
  return (
    <section class="xw-flip-pictures" aria-label="What the model sees" data-panes={orders.length > 1 ? 4 : 2}>
      {image && <Pane key="image" pane="image" label="Image" />}
      {method !== random && <Pane key="heat" pane="heat" label={`Heatmap of ${methodName(method)}`} />}
      {orders.map((order) => (
        <Pane key={order} pane={order} label={name(order)} />
      ))}
    </section>
  );
}

interface PaneProps {
  pane: PaneKind;
  label: string;
}

function Pane({ pane, label }: PaneProps) {
  const view = useView();
  const { store, hover } = view;
  const canvas = useRef<HTMLCanvasElement>(null);
  const grid = store.shown.value.curves?.header.grid;
  const picture = store.picture.value;
  const aspect = grid ? grid.width / grid.height : picture ? picture.width / picture.height : 1;

  useEffect(() => {
    const element = canvas.current!;
    const context = element.getContext("2d")!;
    const draw = new FrameJob(() => drawPane(context, view, pane), "xw:frame");
    const unsize = keepSharp(element, () => draw.request());
    const stop = effect(() => {
      // Read, so that a change of any of them draws again; the drawing itself waits for the frame.
      void [
        store.step.value,
        store.method.value,
        store.shown.value,
        store.frameVersion.value,
        store.picture.value,
      ];
      void [
        store.order(store.method.value),
        store.state.selection.value,
        hover.value,
        store.state.theme.value,
      ];
      draw.request();
    });
    return () => {
      stop();
      unsize();
      draw.dispose();
    };
  }, [view, store, hover, pane]);

  const patchAt = (event: PointerEvent): Patch | null => {
    const { curves } = store.shown.peek();
    if (!curves) return null;
    const box = canvas.current!.getBoundingClientRect();
    const { width, height, patch } = curves.header.grid;
    const u = (event.clientX - box.left) / box.width;
    const v = (event.clientY - box.top) / box.height;
    if (u < 0 || v < 0 || u >= 1 || v >= 1) return null;
    return { row: Math.floor((v * height) / patch), column: Math.floor((u * width) / patch) };
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const { curves } = store.shown.peek();
    if (!curves) return;
    const at = store.state.selection.peek();
    const moves: Record<string, [number, number]> = {
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
    };
    const by = moves[event.key];
    const inside = (value: number, count: number) => Math.min(count - 1, Math.max(0, value));
    if (event.key === "Escape") store.set("selection", null);
    else if (by) {
      const row = inside((at?.row ?? Math.floor(curves.rows / 2)) + (at ? by[0] : 0), curves.rows);
      const column = inside(
        (at?.column ?? Math.floor(curves.columns / 2)) + (at ? by[1] : 0),
        curves.columns,
      );
      store.set("selection", { row, column });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <figure class="xw-pane" data-pane={pane}>
      <figcaption class="xw-caption">
        <span class="xw-caption-label" title={label}>
          {label}
        </span>
      </figcaption>
      <div
        class="xw-frame"
        role="application"
        aria-roledescription="picture"
        aria-label={`${label}. Arrow keys move a mark from patch to patch, Escape takes it away.`}
        tabIndex={0}
        style={{ "--xw-aspect": aspect }}
        onKeyDown={onKeyDown}
        onPointerMove={(event) => {
          const patch = patchAt(event);
          const now = hover.peek()?.patch;
          if (patch?.row !== now?.row || patch?.column !== now?.column)
            hover.value = patch && { patch, pane, leftwards: leftwards(event) };
        }}
        onPointerLeave={() => {
          hover.value = null;
        }}
        onClick={(event) => {
          const patch = patchAt(event as unknown as PointerEvent);
          const pinned = store.state.selection.peek();
          const again = patch && pinned && patch.row === pinned.row && patch.column === pinned.column;
          store.set("selection", again ? null : patch);
        }}
      >
        <canvas ref={canvas} class="xw-canvas" />
        <PatchReading pane={pane} />
        {isOrder(pane) && <Missing order={pane} />}
      </div>
      {isOrder(pane) ? <Score order={pane} /> : pane === "heat" ? <Legend /> : <Explained />}
    </figure>
  );
}

/** Whether the pointer is in the right half of the widget: what is said beside it must not be cut off. */
function leftwards(event: PointerEvent): boolean {
  const box = (event.currentTarget as HTMLElement).closest(".xw")!.getBoundingClientRect();
  return event.clientX > box.left + box.width / 2;
}

/** The score of the frame. */
function Score({ order }: { order: CurveOrder }) {
  const { store } = useView();
  const { curves, current } = store.shown.value;
  const method = store.method.value;
  const at = method === random ? random : order;
  // The last good pictures stay where they are while new ones are made: the step is no longer theirs.
  const value = !current
    ? undefined
    : curves?.score({ method, order: at }, store.state.image.value, store.step.value);
  return (
    <p class="xw-under">
      {store.state.score.value} {fixed(value, decimalsFor([value]))}
    </p>
  );
}

/** The class whose score is followed. */
function Explained() {
  const { store } = useView();
  const target = store.shown.value.curves?.target(store.state.image.value) ?? null;
  const name = target === null ? "" : (store.state.class_names.value[target] ?? `class ${target}`);
  return <p class="xw-under">{name && `score of ${name}`}</p>;
}

/** The colours of the heatmap with their numbers. */
function Legend() {
  const { store } = useView();
  const heat = store.order(store.method.value)?.heat;
  const look = heat && heatLook(heat);
  return <ColorBar range={look?.range ?? null} colormap={look?.colormap ?? ""} label="relevance" ticks={3} />;
}

/** Why there is no frame. */
function Missing({ order }: { order: CurveOrder }) {
  const { store } = useView();
  const there = useMemo(
    () => computed(() => store.frame(order, store.step.value) !== null),
    [store, order],
  ).value;
  if (there || store.canCompute.value) return null;
  return <p class="xw-missing">not saved here: flipped patches are hatched</p>;
}

/** When each method flips the patch under the pointer. */
function PatchReading({ pane }: { pane: string }) {
  const { store, hover } = useView();
  const over = hover.value;
  const { curves } = store.shown.value;
  if (!over?.patch || over.pane !== pane || !curves) return null;
  const { row, column } = over.patch;
  const index = indexOf(over.patch, curves.columns);
  const orders = store.frameOrders.value;
  const steps = store.visible.value
    .filter((method) => method !== random)
    .flatMap((method) => {
      const order = store.order(method);
      if (!order) return [];
      const at = orders.map((one) => {
        const step = order.stepOf(index, one, curves.header.counts);
        return `${orders.length > 1 ? `${orderShort[one]} ` : ""}${step === null ? "never" : `step ${step}`}`;
      });
      return [{ method, text: at.join(", ") }];
    });
  return (
    <div
      class="xw-tooltip"
      data-left={over.leftwards}
      data-above={row > curves.rows * 0.6}
      style={{
        left: `${((column + 0.5) / curves.columns) * 100}%`,
        top: `${((row + 0.5) / curves.rows) * 100}%`,
      }}
    >
      <b>
        patch in row {row + 1}, column {column + 1}
      </b>
      {steps.map(({ method, text }) => (
        <span key={method}>
          {methodName(method)}: flipped at {text}
        </span>
      ))}
    </div>
  );
}
