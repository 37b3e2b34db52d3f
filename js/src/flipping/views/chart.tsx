/** The chart: a panel an order, all with the same scale and one cursor. */
import { computed, effect } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { formatNumber, formatPercent } from "../../shared/data/format.ts";
import type { Series } from "../state/curves.ts";
import { type CurveOrder, random } from "../types.ts";
import { useView } from "./context.ts";
import { domainOf, Geometry, margin, type Size } from "./geometry.ts";
import { markersPath, markOf, markStyle } from "./marks.ts";
import { Reading } from "./reading.tsx";
import { methodName, orderNames } from "./words.ts";

const near = 14; // px, the pointer is on a line

export function Chart() {
  const { store } = useView();
  // What stands in the chart; the cursor and the pointer are drawn over it and change none of this.
  const content = useMemo(
    () =>
      computed(() => {
        const { curves, current } = store.shown.value;
        const visible = store.visible.value;
        if (!curves) return null;
        const panels = curves.orders.map((order) => ({
          order,
          series: curves.series(order, store.image.value).filter(({ method }) => visible.includes(method)),
        }));
        return { curves, current, panels, domain: domainOf(panels.flatMap(({ series }) => series)) };
      }),
    [store],
  ).value;
  if (!content) return <div class="xw-charts xw-no-chart">{waiting(store.canCompute.value)}</div>;
  return (
    <div class="xw-charts" data-stale={!content.current} data-panels={content.panels.length}>
      {content.panels.map(({ order, series }) => (
        <Panel key={order} order={order} series={series} curves={content.curves} domain={content.domain} />
      ))}
    </div>
  );
}

function waiting(live: boolean): string {
  return live ? "waiting for the first points" : "no curves were saved here: they need a kernel";
}

interface PanelProps {
  order: CurveOrder;
  series: Series[];
  curves: Geometry["curves"];
  domain: [number, number];
}

function Panel({ order, series, curves, domain }: PanelProps) {
  const { store, hover } = useView();
  const svg = useRef<SVGSVGElement>(null);
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  const { width, height } = size;
  const [low, high] = domain;
  const geometry = useMemo(
    () => new Geometry(curves, [low, high], { width, height }),
    [curves, low, high, width, height],
  );

  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      setSize({ width: Math.round(width), height: Math.round(height) });
    });
    observer.observe(svg.current!);
    return () => observer.disconnect();
  }, []);

  const point = (event: PointerEvent) => {
    const box = svg.current!.getBoundingClientRect();
    const step = geometry.stepAt(event.clientX - box.left);
    const y = event.clientY - box.top;
    let nearest: { method: string; distance: number } | undefined;
    for (const { method, values } of series) {
      const distance = Math.abs(geometry.y(values[step]!) - y);
      if (distance < (nearest?.distance ?? Number.POSITIVE_INFINITY)) nearest = { method, distance };
    }
    return { step, method: nearest && nearest.distance < near ? nearest.method : undefined };
  };
  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    svg.current!.setPointerCapture(event.pointerId);
    svg.current!.focus();
    store.committer.begin();
    const { step, method } = point(event);
    store.goTo(step);
    if (method) store.set("method", method);
  };
  const move = (event: PointerEvent) => {
    const { step, method } = point(event);
    const now = hover.peek();
    if (now?.step !== step || now.method !== method || now.order !== order) {
      hover.value = { step, order, ...(method ? { method } : {}) };
    }
    if (svg.current!.hasPointerCapture(event.pointerId)) store.goTo(step);
  };
  const up = (event: PointerEvent) => {
    if (!svg.current!.hasPointerCapture(event.pointerId)) return;
    svg.current!.releasePointerCapture(event.pointerId);
    store.committer.end();
  };

  const names = series.map(({ method }) => methodName(method)).join(", ");
  return (
    <figure class="xw-panel-chart" data-order={order}>
      <figcaption>{orderNames[order]}</figcaption>
      <div class="xw-panel-frame">
        <svg
          ref={svg}
          class="xw-chart"
          role="application"
          aria-roledescription="curves"
          aria-label={`${orderNames[order]}: ${names}. Arrow keys go from step to step, up and down from method to method.`}
          tabindex={0}
          onPointerDown={down}
          onPointerMove={move}
          onPointerUp={up}
          onPointerCancel={up}
          onPointerLeave={() => {
            hover.value = null;
          }}
        >
          {width > 0 && (
            <>
              <Axes geometry={geometry} size={size} score={store.state.score.value} />
              <Lines geometry={geometry} series={series} />
              <Cursor geometry={geometry} series={series} />
            </>
          )}
        </svg>
        {width > 0 && <Reading geometry={geometry} series={series} order={order} />}
      </div>
    </figure>
  );
}

function Axes({ geometry, size, score }: { geometry: Geometry; size: Size; score: string }) {
  const { x, y } = geometry;
  const bottom = size.height - margin.bottom;
  return (
    <g class="xw-axes">
      {y.ticks(5).map((tick) => (
        <g key={tick} transform={`translate(0, ${y(tick)})`}>
          <line x1={margin.left} x2={size.width - margin.right} />
          <text x={margin.left - 6} dy="0.32em" text-anchor="end">
            {formatNumber(tick, 4)}
          </text>
        </g>
      ))}
      {x.ticks(size.width > 320 ? 5 : 3).map((tick) => (
        <text key={tick} x={x(tick)} y={bottom + 15} text-anchor="middle">
          {formatPercent(tick)}
        </text>
      ))}
      {geometry.grey !== null && (
        <g class="xw-all-grey" transform={`translate(${geometry.grey}, ${bottom})`}>
          <line y2={margin.top - bottom} />
          <text transform={`translate(14, ${(margin.top - bottom) / 2}) rotate(-90)`} text-anchor="middle">
            all grey
          </text>
        </g>
      )}
      <line class="xw-base" x1={margin.left} x2={size.width - margin.right} y1={bottom} y2={bottom} />
      <text
        class="xw-axis-name"
        x={(margin.left + size.width - margin.right) / 2}
        y={bottom + 31}
        text-anchor="middle"
      >
        share of patches flipped
      </text>
      <text
        class="xw-axis-name"
        transform={`translate(11, ${(margin.top + bottom) / 2}) rotate(-90)`}
        text-anchor="middle"
      >
        {score}
      </text>
    </g>
  );
}

function Lines({ geometry, series }: { geometry: Geometry; series: Series[] }) {
  const { store, hover } = useView();
  const group = useRef<SVGGElement>(null);
  const methods = store.state.methods.value;

  // Which line stands out is an attribute: no line is drawn anew for it.
  useLayoutEffect(
    () =>
      effect(() => {
        const pointed = hover.value?.method;
        const chosen = store.method.value;
        for (const line of group.current?.children ?? []) {
          const name = (line as SVGGElement).dataset.method;
          (line as SVGGElement).dataset.state =
            name === pointed ? "pointed" : pointed ? "dim" : name === chosen ? "chosen" : "";
        }
      }),
    [hover, store, series],
  );

  // The baseline lies under the methods.
  const sorted = [...series].sort((a, b) => Number(b.method === random) - Number(a.method === random));
  return (
    <g ref={group}>
      {sorted.map((one) => {
        const mark = markOf(one.method, methods);
        return (
          <g key={one.method} class="xw-line xw-mark" data-method={one.method} style={markStyle(mark)}>
            <path class="xw-band" d={geometry.band(one)} />
            <path class="xw-curve" d={geometry.path(one)} stroke-dasharray={mark.dash} />
            <path
              class="xw-markers"
              d={markersPath(mark, one.method === random ? 12 : 30, geometry.points(one))}
            />
          </g>
        );
      })}
    </g>
  );
}

/** The cursor at the present step, a lighter one under the pointer, and a ring on each line there. */
function Cursor({ geometry, series }: { geometry: Geometry; series: Series[] }) {
  const { store, hover } = useView();
  const step = store.step.value;
  const pointed = hover.value?.step;
  const methods = store.state.methods.value;
  const [top, bottom] = [margin.top, geometry.size.height - margin.bottom];
  return (
    <g class="xw-cursor">
      {pointed !== undefined && pointed !== step && (
        <line
          class="xw-cursor-pointed"
          x1={geometry.at(pointed)}
          x2={geometry.at(pointed)}
          y1={top}
          y2={bottom}
        />
      )}
      <line class="xw-cursor-step" x1={geometry.at(step)} x2={geometry.at(step)} y1={top} y2={bottom} />
      <path class="xw-cursor-handle" d={`M${geometry.at(step) - 6},${bottom}h12l-6,-7z`} />
      {series.map(({ method, values }) => {
        const value = values[step]!;
        if (!Number.isFinite(value)) return null;
        return (
          <circle
            key={method}
            class="xw-mark"
            style={markStyle(markOf(method, methods))}
            cx={geometry.at(step)}
            cy={geometry.y(value)}
            r={method === store.method.value ? 6 : 4}
          />
        );
      })}
    </g>
  );
}
