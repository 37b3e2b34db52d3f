/** The tooltip of the chart: what every method scores at the step under the pointer, the highest first. */
import type { Series } from "../state/curves.ts";
import type { CurveOrder } from "../types.ts";
import { useView } from "./context.ts";
import type { Geometry } from "./geometry.ts";
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
  const left = at > geometry.size.width / 2;
  return (
    <div
      class="xw-tooltip xw-reading"
      data-left={left}
      style={{ left: `${at}px`, top: "0px" }}
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
