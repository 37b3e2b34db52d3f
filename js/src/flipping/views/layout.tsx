/** The widget as a whole: where its parts stand, and what its keys do. */
import { FirstUse } from "../../shared/controls/first-use.tsx";
import { isSigned } from "../../shared/data/colormaps.ts";
import { colourSentence, emptySentence, hardlyChanges } from "../../shared/data/words.ts";
import { Errors, Messages } from "../../shared/views/messages.tsx";
import { Sentence } from "../../shared/views/sentence.tsx";
import { Announcer } from "./announcer.tsx";
import { Chart } from "./chart.tsx";
import { useView } from "./context.ts";
import { heatLook } from "./draw.ts";
import { Footer } from "./footer.tsx";
import { Header, Questions } from "./header.tsx";
import { keyDown } from "./keys.ts";
import { Legend } from "./legend.tsx";
import { Pictures } from "./pictures.tsx";
import { Scrubber } from "./scrub.tsx";
import { Table } from "./table.tsx";

const little = 0.01; // of the score: a change that says nothing

/** What the curves and colours say, and what they must not be taken for. */
function Saying() {
  const { store } = useView();
  const { curves } = store.shown.value;
  const heat = store.order(store.method.value)?.heat;
  const { image, overlay } = store.state;
  const name = curves?.target(image.value) ?? null;
  const of = name === null ? "the class" : store.className(name);
  const look = heat && heatLook(heat);
  const against = look && isSigned(look.colormap) ? `speaks against ${of}` : "matters least";
  const colours =
    heat?.flat != null
      ? emptySentence(heat.flat)
      : look
        ? colourSentence(look.colormap, `speaks for ${of}`, against, overlay.value)
        : "";
  const says = "The sooner the score falls with the most relevant first, the better the heatmap.";
  const change = curves?.change(store.image.value) ?? null;
  const cautions = change !== null && change < little ? [hardlyChanges(change)] : [];
  return <Sentence text={`${says} ${colours}`} cautions={cautions} />;
}

export function FlippingView() {
  const view = useView();
  const { store } = view;
  const { curves } = store.shown.value;
  return (
    <div class="xw-body" role="group" aria-label="Pixel flipping" onKeyDown={(event) => keyDown(event, view)}>
      <Header />
      <FirstUse name="flipping">
        Move along a curve, drag the step, or press play, and see what the model saw; press a method to follow
        it. Every “?” says what something is.
      </FirstUse>
      <Questions />
      <div class="xw-flip-main" data-panels={curves?.orders.length ?? 1}>
        <Errors store={store} />
        <section class="xw-curves" aria-label="Curves">
          <Legend />
          <Chart />
          <Scrubber />
        </section>
        <Pictures />
        <Saying />
        <Footer />
        <Messages store={store} />
        <Table />
      </div>
      <Announcer />
    </div>
  );
}
