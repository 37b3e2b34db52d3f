/** The images of the data set on which a concept is strongest, each with where it is. */
import { useRef, useState } from "preact/hooks";
import { Checkbox } from "../../shared/controls/checkbox.tsx";
import { HelpButton } from "../../shared/controls/help.tsx";
import { Segmented } from "../../shared/controls/segmented.tsx";
import { formatNumber } from "../../shared/data/format.ts";
import { help } from "../../shared/data/words.ts";
import type { Reference } from "../state/results.ts";
import { useStore } from "./context.ts";
import { Enlarged } from "./enlarged.tsx";
import { HeatCanvas } from "./heat-canvas.tsx";

const places = 8; // references on screen

export function ReferenceGrid() {
  const store = useStore();
  const grid = useRef<HTMLDivElement>(null);
  const layer = store.layer.value!;
  const found = store.references.value;
  const { reference_class } = store.state;
  const total = Math.min(found?.total ?? places, places);
  const [large, setLarge] = useState<number | null>(null);
  const item = large === null ? null : (found?.items.find(({ place }) => place === large) ?? null);
  const close = () => {
    grid.current?.querySelectorAll("button")[large ?? 0]?.focus();
    setLarge(null);
  };
  if (!layer.indexed) return <NoIndex />;
  const only = reference_class.value === null ? "" : `, ${store.className(reference_class.value)} only`;
  return (
    <div class="xw-references" role="group" aria-label="Reference images">
      <ReferenceControls />
      <div
        ref={grid}
        class="xw-reference-grid"
        aria-live="polite"
        aria-busy={(found?.items.length ?? 0) < total}
      >
        {Array.from({ length: total }, (_, place) => (
          <ReferenceFigure
            key={place}
            item={found?.items.find((item) => item.place === place) ?? null}
            onEnlarge={() => setLarge(place)}
          />
        ))}
        {item?.picture && large !== null && (
          <Enlarged item={item} onStep={(by) => setLarge((large + by + total) % total)} onClose={close} />
        )}
        {found && total === 0 && <p class="xw-hint">The concept is on no image of the data set{only}.</p>}
      </div>
      {found && store.state.index_info.value?.pictures === false && (
        <p class="xw-hint">
          The index holds no images. Pass <code>dataset=</code> to see them.
        </p>
      )}
    </div>
  );
}

function ReferenceControls() {
  const store = useStore();
  const { reference_by, pool, crop, look } = store.state;
  return (
    <div class="xw-reference-head">
      <HelpButton of="References" help={help.references} />
      <Segmented
        label="References by"
        showLabel={false}
        value={reference_by.value}
        choices={[
          {
            value: "relevance",
            label: "RelMax",
            title: "Images on which the concept matters most for their class",
          },
          { value: "activation", label: "ActMax", title: "Images on which the concept is most active" },
        ]}
        onChange={(value) => store.set("reference_by", value)}
      />
      <Segmented
        label="Over the image"
        showLabel={false}
        value={pool.value}
        choices={[
          { value: "sum", label: "Sum", title: "Ranked by the sum over the image" },
          { value: "max", label: "Max", title: "Ranked by the strongest place in the image" },
        ]}
        onChange={(value) => store.set("pool", value)}
      />
      <Segmented
        label="Look"
        showLabel={false}
        value={look.value}
        choices={[
          { value: "fade", label: "Faded", title: "Dark where the concept is not" },
          { value: "heatmap", label: "Heatmap", title: "The concept's relevance over the image" },
          { value: "plain", label: "Plain", title: "The image alone" },
        ]}
        onChange={(value) => store.set("look", value)}
      />
      <Checkbox label="Crop" value={crop.value} onChange={(value) => store.set("crop", value)} />
    </div>
  );
}

function ReferenceFigure({ item, onEnlarge }: { item: Reference | null; onEnlarge: () => void }) {
  const store = useStore();
  const { crop, look, colormap, opacity, picture: beneath, overlay } = store.state;
  if (!item) {
    const state = store.canCompute.value ? "coming" : "none";
    return (
      <figure class="xw-reference">
        <span class="xw-thumb" data-state={state} />
        <figcaption>{state === "none" ? "needs a kernel" : " "}</figcaption>
      </figure>
    );
  }
  const { picture, map, box, sample, score, target } = item;
  const part = crop.value ? box : null;
  const [left, top, right, bottom] = part ?? [0, 0, picture?.width ?? 1, picture?.height ?? 1];
  const name = target === null ? "" : store.className(target);
  return (
    <figure class="xw-reference" data-sample={sample} data-score={score}>
      <button
        type="button"
        class="xw-reference-frame"
        aria-label={`Sample ${sample}${name && `, ${name}`}, ${formatNumber(score)}`}
        title={`Sample ${sample}${name && `, ${name}`}: press to enlarge`}
        disabled={!picture}
        onClick={onEnlarge}
      >
        {picture ? (
          <div class="xw-reference-part" style={{ aspectRatio: (right - left) / (bottom - top) }}>
            <HeatCanvas
              picture={picture}
              map={map}
              part={part}
              look={look.value}
              colormap={colormap.value}
              opacity={Math.max(0.5, opacity.value)}
              beneath={beneath.value}
              style={overlay.value}
            />
          </div>
        ) : (
          <span class="xw-sample">{sample}</span>
        )}
      </button>
      <figcaption>
        <span>{name}</span> <span class="xw-value">{formatNumber(score)}</span>
      </figcaption>
    </figure>
  );
}

function NoIndex() {
  const store = useStore();
  const layer = store.layer.value!;
  const other = store.state.index_info.value !== null;
  return (
    <div class="xw-message xw-no-index" data-kind="plain" role="note">
      <div>
        <b>{other ? `The reference index does not cover ${layer.name}` : "No reference index"}</b>
        <p>
          {other
            ? "Build one that does"
            : "With one, the images that show this concept best stand here. Build it once"}
          :
        </p>
        <code>
          {'index = xw.ReferenceIndex.build(crp, dataset, "index/")'}
          <br />
          {"xw.ConceptBrowser(crp, x, index=index, dataset=dataset)"}
        </code>
      </div>
    </div>
  );
}
