/** One concept: its name, where it acts on this image, the images that show it best, the classes that use it. */
import { formatCount, formatNumber } from "../../shared/data/format.ts";
import { aspectOf } from "../../shared/drawing/place.ts";
import { shares } from "../state/ranked.ts";
import { Bar, endsOf } from "./bar.tsx";
import { insetOf } from "./boxes.ts";
import { useStore } from "./context.ts";
import { HeatCanvas } from "./heat-canvas.tsx";
import { Relevance } from "./legend.tsx";
import { signedPercent } from "./list.tsx";
import { NameFields } from "./names.tsx";
import { PixelValue, usePixel } from "./pixel.tsx";
import { ReferenceGrid } from "./references.tsx";

export function Detail() {
  const store = useStore();
  const layer = store.layer.value;
  const concept = store.concept.value;
  if (!layer || concept === null) return <section class="xw-detail" aria-label="Concept" />;
  return (
    <section class="xw-detail" aria-label="Concept" data-layer={layer.name} data-concept={concept}>
      <NameFields key={`${layer.name} ${concept}`} layer={layer.name} concept={concept} />
      <div class="xw-own">
        <OwnHeatmap />
        <div class="xw-facts">
          <Facts concept={concept} />
          <Classes />
        </div>
      </div>
      <ReferenceGrid />
    </section>
  );
}

/** The concept's heatmap on the image. */
function OwnHeatmap() {
  const store = useStore();
  const focus = store.focus.value.result;
  const map = store.heatmap.value;
  const { opacity, colormap, box, picture, overlay } = store.state;
  const pixel = usePixel();
  const waiting = store.canCompute.value ? "" : "not saved here: it needs a kernel";
  return (
    <figure class="xw-pane" style={{ "--xw-aspect": aspectOf(focus?.picture) }}>
      <figcaption class="xw-caption">
        <span class="xw-caption-label">On this image</span>
        <PixelValue pixel={pixel} map={map} />
      </figcaption>
      <div
        class="xw-frame"
        role="img"
        aria-label="Heatmap of the concept on this image"
        data-stale={map === null}
        {...pixel.handlers}
      >
        <HeatCanvas
          picture={focus?.picture ?? null}
          map={map}
          colormap={colormap.value}
          opacity={opacity.value}
          beneath={picture.value}
          style={overlay.value}
        />
        {focus && box.value && <BoxMark />}
        {!map && waiting && <p class="xw-empty xw-note">{waiting}</p>}
      </div>
      {map && <Relevance map={map} />}
    </figure>
  );
}

function BoxMark() {
  const store = useStore();
  const { picture } = store.focus.value.result!;
  return <span class="xw-box" style={{ inset: insetOf(store.state.box.value!, picture) }} />;
}

/** Its part in the class, here and inside the box, and how active it is. */
function Facts({ concept }: { concept: number }) {
  const store = useStore();
  const ranking = store.ranking.value.result;
  const region = store.region.value.result;
  if (!ranking) return null;
  const place = store.list.value.findIndex((entry) => entry.concept === concept);
  const lines: [string, string][] = [
    // The line is there without a box too: what stands below it must not move.
    ["Share inside the box", region ? signedPercent(shares(region.relevance)[concept]!) : "no box"],
    ["Share of the layer", signedPercent(shares(ranking.relevance)[concept]!)],
    ["Relevance", formatNumber(ranking.relevance[concept]!)],
    ["Activation", formatNumber(ranking.activation[concept]!)],
  ];
  lines.unshift(["Rank", `${place + 1} of ${formatCount(ranking.relevance.length)}`]);
  return (
    <div class="xw-fact-lines">
      {lines.map(([label, text]) => (
        <div key={label}>
          <span>{label}</span>
          <span class="xw-value">{text}</span>
        </div>
      ))}
    </div>
  );
}

/** Classes whose images use the concept most; one that is chosen narrows the references. */
function Classes() {
  const store = useStore();
  const classes = store.classes.value;
  const { reference_class } = store.state;
  if (classes.length === 0) return null;
  const ends = endsOf(classes.map(({ score }) => score));
  return (
    <div class="xw-classes-used" role="group" aria-label="Classes that use it">
      <h4>Classes that use it</h4>
      {classes.map(({ target, score }) => {
        const chosen = reference_class.value === target;
        return (
          <button
            key={target}
            type="button"
            aria-pressed={chosen}
            title={`${store.className(target)}: ${formatNumber(score)} on average over its strongest images. Press for its references only.`}
            onClick={() => store.set("reference_class", chosen ? null : target)}
          >
            <span class="xw-class-name">{store.className(target)}</span>
            <Bar value={score} ends={ends} />
            <span class="xw-value">{formatNumber(score, 2)}</span>
          </button>
        );
      })}
    </div>
  );
}
