/** All images under one method on one scale: what the model says of each, whether it is right; a press opens one. */
import { computed } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { formatNumber, formatProbability } from "../../shared/data/format.ts";
import { aspectOf } from "../../shared/drawing/place.ts";
import { isRight, saidName } from "../../shared/state/album.ts";
import { Errors } from "../../shared/views/messages.tsx";
import { SheetThumb } from "../../shared/views/thumb.tsx";
import { Verdict } from "../../shared/views/verdict.tsx";
import { useView } from "./context.ts";
import { keepPaneDrawn } from "./draw.ts";
import { PaneLegend } from "./legend.tsx";
import { contentOf, imageOf, type MapPane, type PaneContent, panesOf, refusalOf, showsMap } from "./panes.ts";

export function Gallery() {
  const { store } = useView();
  const grid = useRef<HTMLDivElement>(null);
  const all = panesOf(store);
  const panes = useMemo(() => all.filter(showsMap), [all]);
  // All have the one scale: the legend of any that is there.
  const legend = useMemo(
    () =>
      computed(() => {
        for (const pane of panes) {
          const content = contentOf(store, pane);
          if (content) return content;
        }
        return null;
      }),
    [store, panes],
  );

  useLayoutEffect(() => {
    // What a person sees is drawn, and asked for before the rest.
    const watch = new IntersectionObserver((changes) => {
      const seen = new Set(store.inView.peek());
      for (const { target, isIntersecting } of changes) {
        const image = Number((target as HTMLElement).dataset.image);
        if (isIntersecting) seen.add(image);
        else seen.delete(image);
      }
      store.inView.value = seen;
    });
    for (const tile of grid.current!.children) watch.observe(tile);
    return () => {
      watch.disconnect();
      store.inView.value = new Set();
    };
  }, [store, panes]);

  return (
    <div class="xw-gallery">
      {/* Above the pictures: it is seen however many there are. */}
      {panes[0] && <PaneLegend pane={panes[0]} content={legend} />}
      <div ref={grid} class="xw-gallery-grid" role="list" aria-label="All images">
        {panes.map((pane) => (
          <Tile key={pane.key} pane={pane} />
        ))}
      </div>
      <Errors store={store} />
    </div>
  );
}

function Tile({ pane }: { pane: MapPane }) {
  const { store } = useView();
  const image = imageOf(store, pane);
  const { predicted, share, kind, label, tile } = store.albumOf(pane.method).entry(image);
  const name = predicted === null ? "" : saidName(predicted, (index) => store.className(index));
  const number =
    share === null ? "" : kind === "probability" ? formatProbability(share) : formatNumber(share);
  const right = isRight({ predicted, label });
  const verdict = right === null ? "" : right ? ", right" : `, wrong: ${store.className(label!)}`;
  const there = useMemo(() => computed(() => contentOf(store, pane) !== null), [store, pane]).value;
  const seen = useMemo(() => computed(() => store.inView.value.has(image)), [store, image]).value;
  const refusal = useMemo(() => computed(() => refusalOf(store, pane)), [store, pane]).value;
  const open = () => {
    store.comparison.start(null);
    store.ask({ image });
  };
  return (
    <div role="listitem" class="xw-gallery-tile" data-image={image}>
      <button
        type="button"
        aria-current={image === store.state.image.value}
        aria-label={`Open image ${image + 1}${name && `: ${name} ${number}`}${verdict}`}
        title={refusal || `${image + 1}${name && `: ${name} ${number}`}${verdict}`}
        onClick={open}
      >
        <span
          class="xw-gallery-frame"
          data-there={there}
          style={{ "--xw-aspect": aspectOf(store.picture.value) }}
        >
          {there && seen ? <TileCanvas pane={pane} /> : <SheetThumb tile={tile} />}
          <Verdict right={right} />
        </span>
        <span class="xw-film-name">{name || image + 1}</span> <small>{refusal ? "no map" : number}</small>
      </button>
    </div>
  );
}

function TileCanvas({ pane }: { pane: MapPane }) {
  const { store } = useView();
  const canvas = useRef<HTMLCanvasElement>(null);
  const content = useMemo(() => {
    // An answer to one image is no news for the others: they are not drawn again unless their scale changes.
    let last: PaneContent | null = null;
    return computed(() => {
      const now = contentOf(store, pane);
      if (!last || !now || !looksAlike(last, now)) last = now;
      return last;
    });
  }, [store, pane]);
  useLayoutEffect(() => keepPaneDrawn(canvas.current!, store, pane, content), [store, pane, content]);
  return <canvas ref={canvas} class="xw-canvas" />;
}

function looksAlike({ paint: one }: PaneContent, { paint: other }: PaneContent): boolean {
  const plain = ({ range, colormap, threshold, mode }: PaneContent["paint"]) =>
    JSON.stringify([range, colormap, threshold, mode]);
  return one.map === other.map && one.filter === other.filter && plain(one) === plain(other);
}
