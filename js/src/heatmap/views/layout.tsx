/** The widget as a whole: where its parts stand. */
import { useRef } from "preact/hooks";
import { AppearanceChoice } from "../../shared/controls/appearance.tsx";
import { Opacity } from "../../shared/controls/opacity.tsx";
import { useScrollRoom } from "../../shared/controls/scroll-room.ts";
import { Segmented } from "../../shared/controls/segmented.tsx";
import { help } from "../../shared/data/words.ts";
import { Errors, Messages } from "../../shared/views/messages.tsx";
import { type Method, sideBySide } from "../types.ts";
import { Announcer } from "./announcer.tsx";
import { FoundPlaces, NamedTargets } from "./asking.tsx";
import { Colours } from "./colours.tsx";
import { useView } from "./context.ts";
import { DepthAway, DepthControl, hasDepth } from "./depth.tsx";
import { UncertaintyFilter } from "./filter.tsx";
import { Footer } from "./footer.tsx";
import { Gallery } from "./gallery.tsx";
import { Header } from "./header.tsx";
import { Notes, Sentence } from "./notes.tsx";
import { PaneView } from "./pane.tsx";
import { panesOf, shownView } from "./panes.ts";
import { Classes, MethodSettings } from "./questions.tsx";

export function HeatmapView() {
  const { store } = useView();
  const method = store.method.value;
  return (
    <div class="xw-body">
      <Header />
      <div class="xw-main" data-panes={store.comparison.gallery.value ? "many" : panesOf(store).length}>
        <div class="xw-pictures">
          {store.comparison.gallery.value ? <Gallery /> : <Panes />}
          <Sentence />
          <Notes />
          {/* Beside the panel, however long that is: a laptop shows the picture and the buttons at once. */}
          <Footer />
          {/* Below the buttons that start and stop: what comes and goes must not move them. */}
          <Messages store={store} />
        </div>
        {method && <Panel method={method} />}
      </div>
      <Announcer />
    </div>
  );
}

function Panes() {
  const { store } = useView();
  const ref = useRef<HTMLDivElement>(null);
  useScrollRoom(ref);
  return (
    <div class="xw-panes" ref={ref}>
      {panesOf(store).map((pane) => (
        <PaneView key={pane.key} pane={pane} />
      ))}
      <Errors store={store} />
    </div>
  );
}

function Panel({ method }: { method: Method }) {
  const { store } = useView();
  const { by, shown: asked } = store.comparison;
  const comparing = by.value === "method" || by.value === "model";
  const shown = comparing ? [...new Set(asked.value.map(({ method: each }) => each))] : [method];
  const sure = shown.find((each) => each.filter);
  return (
    <div class="xw-panel">
      {!store.comparison.several.value && <ViewChoice method={method} />}
      <div class="xw-parts">
        {shown.some((each) => each.classes) && (
          <>
            <Classes contrast={shown.some((each) => each.contrast)} />
            <FoundPlaces />
            <NamedTargets />
          </>
        )}
        {hasDepth(store, method) ? <DepthControl /> : <DepthAway />}
        <Opacity
          label="Opacity"
          value={store.state.opacity}
          onInput={(value) => store.set("opacity", value)}
        />
        <section aria-label="Appearance">
          <AppearanceChoice store={store} />
        </section>
        {sure && <UncertaintyFilter method={sure} />}
        <Colours method={method} />
        {store.canCompute.value &&
          shown.map((each) => <MethodSettings key={each.name} method={each} open={!comparing} />)}
      </div>
    </div>
  );
}

function ViewChoice({ method }: { method: Method }) {
  const { store } = useView();
  const { show } = store.state;
  if (method.views.length < 2) return null;
  const choices = method.views.map(({ name, label }) => ({ value: name, label }));
  choices.push({ value: sideBySide, label: "Side by side" });
  const value = show.value === sideBySide ? sideBySide : (shownView(method, show.value)?.name ?? "");
  return (
    <Segmented
      label="Show"
      help={help.show}
      value={value}
      choices={choices}
      onChange={(view) => store.set("show", view)}
    />
  );
}
