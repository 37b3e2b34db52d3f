/** The image under the heatmap of its class, and the box on it that asks: which concepts act here? */
import { useRef } from "preact/hooks";
import { Opacity } from "../../shared/controls/opacity.tsx";
import { formatNumber, formatPercent } from "../../shared/data/format.ts";
import { aspectOf } from "../../shared/drawing/place.ts";
import { BoxLayer } from "./box.tsx";
import { useStore } from "./context.ts";
import { HeatCanvas } from "./heat-canvas.tsx";
import { Relevance } from "./legend.tsx";
import { PixelValue, usePixel } from "./pixel.tsx";

export function ImagePane() {
  const store = useStore();
  const { result, current } = store.focus.value;
  const { opacity, colormap } = store.state;
  const frame = useRef<HTMLDivElement>(null);
  const pixel = usePixel();
  return (
    <section class="xw-image" aria-label="Image">
      <figure class="xw-pane">
        <figcaption class="xw-caption">
          <span class="xw-caption-label">{result ? <Explained /> : "Image"}</span>
          <PixelValue pixel={pixel} map={result?.map ?? null} />
        </figcaption>
        <div
          ref={frame}
          class="xw-frame"
          data-stale={!current}
          style={{ "--xw-aspect": aspectOf(result?.picture) }}
          {...pixel.handlers}
        >
          <HeatCanvas
            picture={result?.picture ?? null}
            map={result?.map ?? null}
            colormap={colormap.value}
            opacity={opacity.value}
          />
          {result && <BoxLayer size={result.picture} />}
          {!result && <Waiting />}
        </div>
        {result && <Relevance map={result.map} />}
      </figure>
      <BoxLine />
      <Opacity label="Heatmap" value={opacity} onInput={(value) => store.set("opacity", value)} />
    </section>
  );
}

/** The class explained, with its score and probability. */
function Explained() {
  const store = useStore();
  const { target, score, probability } = store.focus.value.result!;
  const against = store.state.against.value;
  return (
    <>
      {store.className(target)}
      {against !== null && ` against ${store.className(against)}`}{" "}
      <small>
        {probability !== null && `${formatPercent(probability)}, `}score {formatNumber(score)}
      </small>
    </>
  );
}

function BoxLine() {
  const store = useStore();
  const box = store.state.box.value;
  if (!box) return <p class="xw-hint">Drag a box on the image: which concepts act inside it?</p>;
  const [left, top, right, bottom] = box;
  return (
    <p class="xw-hint xw-box-line">
      <span>
        Concepts inside {right - left} × {bottom - top} px
      </span>
      <button type="button" class="xw-button" onClick={() => store.set("box", null)}>
        Clear box
      </button>
    </p>
  );
}

function Waiting() {
  const store = useStore();
  const text = store.canCompute.value ? "waiting for the picture" : "not saved here: it needs a kernel";
  return <p class="xw-empty">{text}</p>;
}
