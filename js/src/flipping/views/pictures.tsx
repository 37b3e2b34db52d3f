/** The heatmap, and beside it the image as the model sees it at this step; newly flipped patches outlined on all. */
import { computed } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { clamp } from "../../shared/data/numbers.ts";
import { keepDrawn } from "../../shared/drawing/canvas.ts";
import { arrows, pictureKeys } from "../../shared/drawing/keys.ts";
import { nothingBut } from "../../shared/drawing/painter.ts";
import { aspectOf, pointAt } from "../../shared/drawing/place.ts";
import { MapLegend } from "../../shared/views/map-legend.tsx";
import type { Curves } from "../state/curves.ts";
import { indexOf } from "../state/patches.ts";
import { type CurveOrder, type Patch, random } from "../types.ts";
import { useView } from "./context.ts";
import { drawPane, heatLook, heatOpacity, isOrder, outlines, type PaneKind } from "./draw.ts";
import { decimalsFor, fixed, methodName, orderNames, orderShort, stillText } from "./words.ts";

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
      <FrameKey orders={orders} method={method} />
    </section>
  );
}

/** What the frames around patches say. */
function FrameKey({ orders, method }: { orders: readonly CurveOrder[]; method: string }) {
  return (
    <p class="xw-frame-key">
      hidden by this step:
      {orders.map((order) => (
        <span key={order}>
          <i style={{ borderColor: outlines[order].colour }} data-dashed={outlines[order].dash.length > 0} />
          {method === random ? orderNames.random.toLowerCase() : orderNames[order].toLowerCase()}
        </span>
      ))}
    </p>
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
  const { curves, current } = store.shown.value;
  // The untouched image is of no question.
  const stale = curves !== null && !current && pane !== "image";

  useLayoutEffect(() => {
    const watch = () =>
      void [
        store.step.value,
        store.method.value,
        store.shown.value,
        store.frameVersion.value,
        store.picture.value,
        store.order(store.method.value),
        store.state.selection.value,
        hover.value,
        store.state.theme.value,
        store.state.picture.value,
        store.state.overlay.value,
      ];
    return keepDrawn(canvas.current!, (context) => drawPane(context, view, pane), watch, "xw:frame");
  }, [view, store, hover, pane]);

  const patchAt = (event: PointerEvent): Patch | null => {
    const { curves } = store.shown.peek();
    if (!curves) return null;
    const [u, v] = pointAt(canvas.current!, event);
    const { width, height, patch } = curves.header.grid;
    if (u < 0 || v < 0 || u >= 1 || v >= 1) return null;
    return { row: Math.floor((v * height) / patch), column: Math.floor((u * width) / patch) };
  };
  const onKeyDown = pictureKeys(({ key }) => {
    const { curves } = store.shown.peek();
    const arrow = arrows[key];
    if (!curves || (key !== "Escape" && !arrow)) return false;
    store.set("selection", arrow ? moved(store.state.selection.peek(), arrow, curves) : null);
    return true;
  });
  return (
    <figure class="xw-pane" data-pane={pane} style={{ "--xw-aspect": aspectOf(grid ?? picture) }}>
      <figcaption class="xw-caption">
        <span class="xw-caption-label" title={label}>
          {label}
        </span>
      </figcaption>
      <div
        class="xw-frame"
        data-stale={stale}
        role="application"
        aria-roledescription="picture"
        aria-label={`${label}. Arrow keys move a mark from patch to patch, Escape takes it away.`}
        tabIndex={0}
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
        {stale && pane === "heat" && <Still />}
        {isOrder(pane) && <Missing order={pane} />}
      </div>
      {isOrder(pane) ? <Score order={pane} /> : pane === "heat" ? <Legend /> : <Explained />}
    </figure>
  );
}

/** Of pictures that stay while others are made: what they are of, and what becomes of those asked for. */
function Still() {
  const { store } = useView();
  const text = stillText(store);
  return store.canCompute.value && text ? (
    <p class="xw-still" title={text}>
      {text}
    </p>
  ) : null;
}

/** The mark a patch further; the first arrow puts it in the middle. */
function moved(at: Patch | null, [dx, dy]: readonly [number, number], { rows, columns }: Curves): Patch {
  if (!at) return { row: Math.floor(rows / 2), column: Math.floor(columns / 2) };
  return { row: clamp(at.row + dy, 0, rows - 1), column: clamp(at.column + dx, 0, columns - 1) };
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
  const name = target === null ? "" : store.className(target);
  return <p class="xw-under">{name && `score of ${name}`}</p>;
}

/** The colours of the heatmap with their numbers. */
function Legend() {
  const { store } = useView();
  const heat = store.order(store.method.value)?.heat;
  const look = heat && heatLook(heat);
  return (
    <MapLegend
      range={look?.range ?? null}
      colormap={look?.colormap ?? ""}
      label="relevance"
      ticks={3}
      opacity={heatOpacity}
      beneath={store.state.picture.value}
      style={store.state.overlay.value}
      nothingBut={heat && look ? nothingBut({ map: heat, range: look.range }) : null}
    />
  );
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
    <div class="xw-tooltip xw-patch-reading" data-left={over.leftwards}>
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
