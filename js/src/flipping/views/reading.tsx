/** The tooltip of the chart: what every method scores at the step under the pointer, the highest first. */
import type { Series } from "../state/curves.ts";
import type { CurveOrder } from "../types.ts";
import { useView } from "./context.ts";
import { type Geometry, margin } from "./geometry.ts";
import { markOf } from "./marks.ts";
import { Swatch } from "./swatch.tsx";
import { decimalsFor, fixed, methodName, stepText } from "./words.ts";

export function Reading({
  geometry,
  series,
  order,
}: {
  geometry: Geometry;
  series: Series[];
  order: CurveOrder;
}) {
  const { store, hover } = useView();
  const over = hover.value;
  if (!over || over.step === undefined || over.order !== order) return null;
  const { step } = over;
  const known = series.filter(({ values }) => Number.isFinite(values[step]));
  const decimals = decimalsFor(known.map(({ values }) => values[step]));
  const rows = known.sort((a, b) => b.values[step]! - a.values[step]!);
  const at = geometry.at(step);
  const { left, top } = clearest(geometry, known, step, rows.length);
  return (
    <div
      class="xw-tooltip xw-reading"
      data-left={left}
      style={{ left: `${at}px`, top: `${top}px` }}
      role="presentation"
    >
      <span>{stepText(geometry.curves, step)}</span>
      {rows.map(({ method, values, low, high }) => (
        <div key={method} data-pointed={method === over.method}>
          <Swatch mark={markOf(method, store.state.methods.value)} />
          <span>{methodName(method)}</span>
          <b>{fixed(values[step], decimals)}</b>
          {low && high && Number.isFinite(low[step]) && (
            <small>
              [{fixed(low[step], decimals)}, {fixed(high[step], decimals)}]
            </small>
          )}
        </div>
      ))}
    </div>
  );
}

const [width, head, line, aside] = [215, 30, 20, 14]; // px, about as large as it will be

/** Where beside the cursor the tooltip covers least of the curves: to the left or right of it, at the top or at the bottom. */
export function clearest(
  geometry: Geometry,
  series: readonly Series[],
  step: number,
  rows: number,
): { left: boolean; top: number } {
  const at = geometry.at(step);
  const height = head + rows * line;
  const low = Math.max(0, geometry.size.height - margin.bottom - height);
  const cost = ({ left, top }: { left: boolean; top: number }) => {
    const begin = left ? at - aside - width : at + aside;
    const covered = series
      .flatMap((one) => geometry.points(one))
      .filter(([x, y]) => x >= begin && x <= begin + width && y >= top && y <= top + height).length;
    // Beyond the panel's edge it covers what stands beside.
    const beyond = Math.max(0, -begin, begin + width - geometry.size.width);
    return covered + beyond / 10;
  };
  const places = [true, false].flatMap((left) => [0, low].map((top) => ({ left, top })));
  return places.reduce((best, place) => (cost(place) < cost(best) ? place : best));
}
