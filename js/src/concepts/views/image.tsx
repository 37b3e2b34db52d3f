/** The image under the heatmap of its class, and the box on it that asks: which concepts act here? */
import { useRef } from "preact/hooks";
import { fittingColormap } from "../../shared/data/colormaps.ts";
import { formatNumber, formatPercent } from "../../shared/data/format.ts";
import { colourSentence, emptySentence } from "../../shared/data/words.ts";
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
  const { opacity, colormap, picture: beneath, overlay } = store.state;
  const picture = store.picture.value;
  const frame = useRef<HTMLDivElement>(null);
  const pixel = usePixel();
  return (
    <section class="xw-image" aria-label="Image">
      <figure class="xw-pane" style={{ "--xw-aspect": aspectOf(picture) }}>
        <figcaption class="xw-caption">
          <span class="xw-caption-label">{result ? <Explained /> : "Image"}</span>
          <PixelValue pixel={pixel} map={result?.map ?? null} />
        </figcaption>
        <div ref={frame} class="xw-frame" data-stale={!current} {...pixel.handlers}>
          <HeatCanvas
            picture={picture}
            map={result?.map ?? null}
            colormap={colormap.value}
            opacity={opacity.value}
            beneath={beneath.value}
            style={overlay.value}
          />
          {result && <BoxLayer size={result.picture} />}
          {!result && <Waiting />}
          <Still />
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
  const { target, against, score, probability } = store.focus.value.result!;
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
  const { colormap, overlay } = store.state;
  const whole = result ? explainedText(store, result) : "the class";
  const says = [`speaks for ${whole}`, `speaks against ${whole}`] as const;
  return (
    <Sentence
      text={
        result?.map.flat != null
          ? emptySentence(result.map.flat)
          : colourSentence(fittingColormap(colormap.value, "diverging"), ...says, overlay.value)
      }
      cautions={result?.cautions ?? []}
    />
  );
}

/** "star rather than heart": what the heatmap that is there explains. */
function explainedText(store: ReturnType<typeof useStore>, { target, against }: Explaining): string {
  const name = store.targetName(target);
  return against === null ? name : `${name} rather than ${store.className(against)}`;
}

type Explaining = { target: number | string; against: number | null };

/** Of an older answer that stands in: what it explains, and what becomes of the present one. */
function Still() {
  const store = useStore();
  const { result, current } = store.focus.value;
  if (current || !result || !store.canCompute.value) return null;
  const { image, target, against, status } = store.state;
  const asked = target.value ?? store.album.prediction(image.value)?.classes[0] ?? null;
  const next =
    asked === null ? "the predicted class" : explainedText(store, { target: asked, against: against.value });
  const failed = status.value.state === "error";
  const text = `still: ${explainedText(store, result)} · ${failed ? `no answer for ${next}` : `computing ${next}…`}`;
  return (
    <p class="xw-still" title={text}>
      {text}
    </p>
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
  const waiting = store.picture.value ? "waiting for the heatmap" : "waiting for the picture";
  const failed = store.state.status.value.state === "error" ? "there is no heatmap" : waiting;
  const text = store.canCompute.value ? failed : "not saved here: it needs a kernel";
  return <p class="xw-empty">{text}</p>;
}
