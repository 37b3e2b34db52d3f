/** The image under the heatmap of its class, and the box on it that asks: which concepts act here? */
import { useRef } from "preact/hooks";
import { fittingColormap } from "../../shared/data/colormaps.ts";
import { formatNumber, formatPercent } from "../../shared/data/format.ts";
import { colourSentence } from "../../shared/data/words.ts";
import { aspectOf } from "../../shared/drawing/place.ts";
import { Sentence } from "../../shared/views/sentence.tsx";
import { BoxLayer } from "./box.tsx";
import { useStore } from "./context.ts";
import { Footer } from "./footer.tsx";
import { HeatCanvas } from "./heat-canvas.tsx";
import { Relevance } from "./legend.tsx";
import { PixelValue, usePixel } from "./pixel.tsx";

export function ImagePane() {
  const store = useStore();
  const { result, current } = store.focus.value;
  const { opacity, colormap, picture, overlay } = store.state;
  const frame = useRef<HTMLDivElement>(null);
  const pixel = usePixel();
  return (
    <section class="xw-image" aria-label="Image">
      <figure class="xw-pane" style={{ "--xw-aspect": aspectOf(result?.picture) }}>
        <figcaption class="xw-caption">
          <span class="xw-caption-label">{result ? <Explained /> : "Image"}</span>
          <PixelValue pixel={pixel} map={result?.map ?? null} />
        </figcaption>
        <div ref={frame} class="xw-frame" data-stale={!current} {...pixel.handlers}>
          <HeatCanvas
            picture={result?.picture ?? null}
            map={result?.map ?? null}
            colormap={colormap.value}
            opacity={opacity.value}
            beneath={picture.value}
            style={overlay.value}
          />
          {result && <BoxLayer size={result.picture} />}
          {!result && <Waiting />}
        </div>
        {result && <Relevance map={result.map} />}
      </figure>
      <Saying />
      <BoxLine />
      <Footer />
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
      {store.targetName(target)}
      {against !== null && ` against ${store.className(against)}`}{" "}
      <small>
        {probability !== null && `${formatPercent(probability)}, `}score {formatNumber(score)}
      </small>
    </>
  );
}

/** What the colours say, of the image and of its concepts alike. */
function Saying() {
  const store = useStore();
  const { result } = store.focus.value;
  const { colormap, overlay, against } = store.state;
  const name = result ? store.targetName(result.target) : "the class";
  const whole = against.value === null ? name : `${name} rather than ${store.className(against.value)}`;
  const says = [`speaks for ${whole}`, `speaks against ${whole}`] as const;
  return (
    <Sentence
      text={colourSentence(fittingColormap(colormap.value, "diverging"), ...says, overlay.value)}
      cautions={result?.cautions ?? []}
    />
  );
}

function BoxLine() {
  const store = useStore();
  const box = store.state.box.value;
  if (!box) return <p class="xw-hint">Drag a box to ask what acts inside it.</p>;
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
