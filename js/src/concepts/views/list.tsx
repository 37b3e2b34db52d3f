/** The concepts of a layer, ranked: how much of the relevance each has, over the image or inside the box. */
import { useEffect, useRef } from "preact/hooks";
import { HelpButton } from "../../shared/controls/help.tsx";
import { Segmented } from "../../shared/controls/segmented.tsx";
import { formatNumber, formatPercent } from "../../shared/data/format.ts";
import { help } from "../../shared/data/words.ts";
import { take } from "../../shared/drawing/keys.ts";
import type { Ranked } from "../state/ranked.ts";
import { Bar, BarKey, type Ends, endsOf } from "./bar.tsx";
import { useStore } from "./context.ts";
import { Thumbs } from "./thumb.tsx";

const moreRows = 20;

export function ConceptList() {
  const store = useStore();
  const list = store.list.value;
  const layer = store.layer.value;
  const { order, box } = store.state;
  const region = store.region.value.result;
  const inBox = box.value !== null && region !== null;
  const shown = list.slice(0, store.rows.value);
  const ends = endsOf(shown.flatMap(({ value, whole }) => (whole === null ? [value] : [value, whole])));
  const byShare = inBox || order.value === "relevance";
  const focus = store.focus.value.result;
  const rest = list.length - shown.length;
  const rows = useRef<HTMLDivElement>(null);
  const { current } = store.ranking.value;
  const concept = store.concept.value;
  // A concept chosen elsewhere, in the graph or by search, comes into view; answers to a box leave the list where it is.
  useEffect(() => {
    if (current) bringIntoView(rows.current!);
  }, [layer?.name, concept, current]);
  // What acts in a box stands at the top.
  useEffect(() => {
    if (inBox) rows.current!.scrollTop = 0;
  }, [inBox]);
  const units = layer ? `${layer.units} in ${layer.name}` : "";
  return (
    <section class="xw-list" aria-label="Concepts">
      <div class="xw-list-head">
        <h3>
          <span class="xw-list-title" title={units}>
            {inBox ? "Inside the box" : "Concepts"} <small>{units}</small>
          </span>
          <HelpButton of="Order" help={help.order} />
        </h3>
        <Segmented
          label="Order by"
          showLabel={false}
          value={inBox ? "relevance" : order.value}
          choices={[
            { value: "relevance", label: "Relevance", title: "Order by how much of the class flows through" },
            {
              value: "activation",
              label: "Activation",
              title: inBox
                ? "Inside a box, concepts are ordered by relevance"
                : "Order by how active a concept is",
            },
          ]}
          onChange={(value) => store.set("order", value)}
        />
      </div>
      {byShare ? (
        <BarKey of={focus ? store.targetName(focus.target) : "the class"} boxed={inBox} />
      ) : (
        <p class="xw-bar-key">how active each concept is on the image</p>
      )}
      <div
        ref={rows}
        class="xw-rows"
        role="listbox"
        aria-label={layer ? `Concepts of ${layer.name}` : "Concepts"}
        data-stale={!store.ranking.value.current}
        // The box that the numbers are of: while one is dragged, an answer behind.
        data-region={inBox ? region.box.join() : undefined}
        onKeyDown={(event) => onKeyDown(event, store, list)}
      >
        {shown.map((entry) => (
          <Row key={entry.concept} entry={entry} ends={ends} share={byShare} />
        ))}
        {list.length === 0 && <p class="xw-empty-list">{emptyText(store)}</p>}
      </div>
      {rest > 0 && (
        <button
          type="button"
          class="xw-button xw-more-rows"
          onClick={() => {
            store.rows.value += moreRows;
          }}
        >
          {rest} more
        </button>
      )}
    </section>
  );
}

/** Within the list alone: the notebook must not scroll. */
function bringIntoView(rows: HTMLElement): void {
  const row = rows.querySelector<HTMLElement>("[aria-selected=true]");
  if (!row) return;
  const { offsetTop, offsetHeight } = row;
  const hidden = offsetTop < rows.scrollTop || offsetTop + offsetHeight > rows.scrollTop + rows.clientHeight;
  if (hidden) rows.scrollTop = offsetTop - rows.clientHeight / 3;
}

type Store = ReturnType<typeof useStore>;

function emptyText(store: Store): string {
  if (!store.canCompute.value) return "not saved here: it needs a kernel";
  return store.state.status.value.state === "error"
    ? "there are no numbers"
    : "waiting for the first numbers";
}

function onKeyDown(event: KeyboardEvent, store: Store, list: Ranked[]): void {
  const at = list.findIndex(({ concept }) => concept === store.concept.peek());
  const last = Math.min(store.rows.peek(), list.length) - 1;
  const places: Record<string, number> = {
    ArrowDown: Math.min(last, at + 1),
    ArrowUp: Math.max(0, at - 1),
    Home: 0,
    End: last,
  };
  const next = list[places[event.key] ?? -1];
  if (!next) return;
  take(event);
  store.go(store.layer.peek()!.name, next.concept);
  const rows = (event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("[role=option]");
  rows[places[event.key]!]?.focus();
}

function Row({ entry, ends, share }: { entry: Ranked; ends: Ends; share: boolean }) {
  const store = useStore();
  const { concept, value, whole } = entry;
  const layer = store.layer.value!;
  const selected = store.concept.value === concept;
  const label = store.names.label(layer.name, concept);
  const text = share ? signedPercent(value) : formatNumber(value);
  const choose = () => store.go(layer.name, concept);

  return (
    <div
      class="xw-row"
      role="option"
      tabIndex={selected ? 0 : -1}
      aria-selected={selected}
      aria-label={`${label?.name || layer.kind} ${concept} ${text}`}
      data-concept={concept}
      data-value={value}
      onClick={choose}
      onKeyDown={(event) => event.key === "Enter" && choose()}
    >
      <Thumbs layer={layer.name} concept={concept} />
      <span class="xw-row-text">
        <span class="xw-row-head">
          <span class="xw-row-name" data-named={Boolean(label?.name)}>
            {label?.name || concept}
            {label?.name && <small> {concept}</small>}
          </span>{" "}
          <span class="xw-value">{text}</span>
        </span>
        <Bar value={value} whole={whole} ends={ends} />
      </span>
    </div>
  );
}

/** A share with a true minus; small ones keep a digit. */
export function signedPercent(value: number): string {
  const size = Math.abs(value);
  const text = size >= 0.0005 && size < 0.1 ? `${(size * 100).toFixed(1)} %` : formatPercent(size);
  return value < 0 ? `−${text}` : text;
}
