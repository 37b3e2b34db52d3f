/** The ranking: areas, gap, intervals, ties, GAE; sortable, and linked with the chart. */
import type { Row } from "../state/curves.ts";
import { type CurveOrder, type Estimate, type GaeMessage, random } from "../types.ts";
import { useView } from "./context.ts";
import { markOf, markStyle } from "./marks.ts";
import { Swatch } from "./swatch.tsx";
import { decimalsFor, fixed, methodName, orderShort } from "./words.ts";

interface Column {
  name: string;
  label: string;
  title: string;
  /** Whether the best is the highest: what a first press puts on top. */
  high?: boolean;
  read: (row: Row) => Estimate | null;
}

const rankColumn = { name: "rank", label: "Rank", title: "1 is the best: by the gap, else by the area" };
const methodColumn = { name: "method", label: "Method", title: "Tick a method to compute and show it" };

export function Table() {
  const { store, hover } = useView();
  const { curves } = store.shown.value;
  const { sort_by, descending, hidden, methods } = store.state;
  const image = store.image.value;
  const gae = store.gae.value;
  const rows = allRows(curves?.table(image) ?? [], methods.value);
  const columns = columnsOf(curves?.orders ?? [], rows, gae);
  const sorted = [...rows].sort(comparing(sort_by.value, columns, descending.value));

  const sortBy = (name: string) => {
    if (sort_by.value === name) store.set("descending", !descending.value);
    else {
      store.set("sort_by", name);
      store.set("descending", columns.find((column) => column.name === name)?.high ?? false);
    }
  };
  const heading = ({ name, label, title }: Pick<Column, "name" | "label" | "title">) => {
    const sort = sort_by.value !== name ? undefined : descending.value ? "descending" : "ascending";
    return (
      <th key={name} scope="col" aria-sort={sort} data-column={name}>
        <button type="button" title={title} onClick={() => sortBy(name)}>
          {label} <span aria-hidden="true">{sort ? (descending.value ? "▾" : "▴") : ""}</span>
        </button>
      </th>
    );
  };
  return (
    <div class="xw-table-frame">
      <table class="xw-table">
        <caption class="xw-hidden">
          Ranking of the methods{image === null ? ", mean over images" : ""}
        </caption>
        <thead>
          <tr>
            {heading(rankColumn)}
            {heading(methodColumn)}
            {columns.map(heading)}
          </tr>
        </thead>
        <tbody>
          {sorted.map((row) => {
            const shown = !hidden.value.includes(row.method);
            const mark = markOf(row.method, methods.value);
            return (
              <tr
                key={row.method}
                data-method={row.method}
                data-pointed={hover.value?.method === row.method}
                data-shown={shown}
                aria-selected={store.method.value === row.method}
                onPointerEnter={() => {
                  hover.value = { method: row.method };
                }}
                onPointerLeave={() => {
                  hover.value = null;
                }}
                onClick={() => shown && store.set("method", row.method)}
              >
                <td class="xw-rank">{row.rank ?? "–"}</td>
                <th scope="row">
                  {/* Pressing the row itself puts the method's frames on screen; so does the legend, with the keyboard. */}
                  <input
                    type="checkbox"
                    checked={shown}
                    aria-label={`Show ${methodName(row.method)}`}
                    disabled={!shown && !store.canCompute.value && !row.auc.morf && !row.auc.lerf}
                    onClick={(event) => event.stopPropagation()}
                    onChange={() => store.toggle(row.method)}
                  />
                  <Swatch mark={mark} />
                  <span>{methodName(row.method)}</span>
                </th>
                {columns.map(({ name, read }) => (
                  <td key={name} data-column={name}>
                    <Cell estimate={read(row)} decimals={decimalsOf(rows, read)} percent={name === "ties"} />
                    {name === "gap" && (
                      <Whisker estimate={read(row)} rows={rows.map(read)} style={markStyle(mark)} />
                    )}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** A line for every method, also for those of which nothing is known. */
function allRows(known: Row[], methods: readonly string[]): Row[] {
  const names = known.map(({ method }) => method);
  const rest = methods.filter((method) => !names.includes(method));
  return [...known, ...rest.map((method) => ({ method, rank: null, auc: {}, gap: null, tied: null }))];
}

function columnsOf(orders: CurveOrder[], rows: Row[], gae: GaeMessage | null): Column[] {
  const columns: Column[] = orders.map((order) => ({
    name: order,
    label: `AUC ${orderShort[order]}`,
    title:
      order === "lerf"
        ? "Area under the curve, least relevant first: high is good"
        : "Area under the curve: low is good",
    high: order === "lerf",
    // Chance has one area, whatever the order.
    read: (row) => row.auc[order] ?? (row.method === random ? (Object.values(row.auc)[0] ?? null) : null),
  }));
  if (orders.length > 1) {
    columns.push({
      name: "gap",
      label: "Gap",
      title: "LeRF area − MoRF area: high is good",
      high: true,
      read: (row) => row.gap,
    });
  }
  if (gae) {
    const { done, total } = gae;
    columns.push({
      name: "gae",
      label: done < total ? `GAE, ${done} of ${total}` : "GAE",
      title: `Global Attribution Evaluation over ${done} of ${total} mosaics: high is good`,
      high: true,
      read: (row) => gae.rows[row.method] ?? null,
    });
  }
  if (rows.some(({ tied }) => tied)) {
    columns.push({
      name: "ties",
      label: "Ties",
      title: "Share of patches that are equal, whose order chance decided",
      read: (row) => (row.tied === null || row.method === random ? null : [row.tied, null, null]),
    });
  }
  return columns;
}

function comparing(by: string, columns: Column[], descending: boolean): (a: Row, b: Row) => number {
  const sign = descending ? -1 : 1;
  const column = columns.find(({ name }) => name === by);
  if (by === "method") return (a, b) => sign * a.method.localeCompare(b.method);
  const value = (row: Row) => (column ? column.read(row)?.[0] : row.rank) ?? null;
  return (a, b) => {
    const [first, second] = [value(a), value(b)];
    // What has no value stands last, whichever way.
    if (first === null || second === null) return Number(first === null) - Number(second === null);
    return sign * (first - second);
  };
}

function decimalsOf(rows: Row[], read: Column["read"]): number {
  return decimalsFor(rows.map((row) => read(row)?.[0]));
}

function Cell({
  estimate,
  decimals,
  percent,
}: {
  estimate: Estimate | null;
  decimals: number;
  percent: boolean;
}) {
  const [mean, low, high] = estimate ?? [null, null, null];
  if (percent) return <span>{mean === null ? "–" : `${Math.round(mean * 100)} %`}</span>;
  return (
    <>
      <span class="xw-mean">{fixed(mean, decimals)}</span>
      {low !== null && high !== null && (
        <small>
          {" "}
          [{fixed(low, decimals)}, {fixed(high, decimals)}]
        </small>
      )}
    </>
  );
}

/** The gap with its interval on the scale of the column: what overlaps may be tied. */
function Whisker({
  estimate,
  rows,
  style,
}: {
  estimate: Estimate | null;
  rows: (Estimate | null)[];
  style: Record<string, string>;
}) {
  const ends = rows.flatMap((row) => row ?? []).filter((value) => value !== null);
  const from = Math.min(0, ...ends);
  const to = Math.max(0, ...ends);
  const [mean, low, high] = estimate ?? [null, null, null];
  if (mean === null || to <= from) return null;
  const at = (value: number) => `${4 + ((value - from) / (to - from)) * 92}%`;
  return (
    <svg class="xw-whisker xw-mark" aria-hidden="true" style={style}>
      <line class="xw-zero" x1={at(0)} x2={at(0)} y1="0" y2="12" />
      {low !== null && high !== null && <line x1={at(low)} x2={at(high)} y1="6" y2="6" />}
      <circle cx={at(mean)} cy="6" r="3" />
    </svg>
  );
}
