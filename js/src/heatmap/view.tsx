/** The widget as a whole: where its parts stand. */
import { useMemo } from "preact/hooks";
import { GestureContext } from "../shared/controls/gesture.ts";
import { Segmented } from "../shared/controls/segmented.tsx";
import { Slider } from "../shared/controls/slider.tsx";
import { formatPercent } from "../shared/format.ts";
import { Announcer } from "./announcer.tsx";
import { Colours } from "./colours.tsx";
import { useView } from "./context.ts";
import { UncertaintyFilter } from "./filter.tsx";
import { Footer } from "./footer.tsx";
import { Header } from "./header.tsx";
import { Messages } from "./messages.tsx";
import { PaneView } from "./pane.tsx";
import { panesOf, shownView } from "./panes.ts";
import { ClassChoice, MethodSettings } from "./questions.tsx";
import { compare, type Method, sideBySide } from "./types.ts";

export function HeatmapView() {
  const { store } = useView();
  const gestures = useMemo(
    () => ({ begin: () => store.committer.begin(), end: () => store.committer.end() }),
    [store],
  );
  const method = store.method.value;
  return (
    <GestureContext.Provider value={gestures}>
      <div class="xw-body">
        <Header />
        <Messages />
        <div class="xw-main" data-panes={Math.min(4, panesOf(store).length)}>
          <div class="xw-pictures">
            <Panes />
            {method && <Notes method={method} />}
          </div>
          {method && <Panel method={method} />}
        </div>
        <Footer />
        <Announcer />
      </div>
    </GestureContext.Provider>
  );
}

function Panes() {
  const { store } = useView();
  return (
    <div class="xw-panes">
      {panesOf(store).map((pane) => (
        <PaneView key={pane.key} pane={pane} />
      ))}
    </div>
  );
}

function Notes({ method }: { method: Method }) {
  const { store } = useView();
  const lines = store.state.notes.value[method.name] ?? [];
  if (lines.length === 0) return null;
  return (
    <dl class="xw-notes">
      {lines.map(([label, text]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

function Panel({ method }: { method: Method }) {
  const { store } = useView();
  return (
    <div class="xw-panel">
      <ViewChoice method={method} />
      {method.classes && <ClassChoice />}
      <Opacity />
      {method.filter && <UncertaintyFilter method={method} />}
      <Colours method={method} />
      {store.connection.value !== "none" && <MethodSettings method={method} />}
    </div>
  );
}

function ViewChoice({ method }: { method: Method }) {
  const { store } = useView();
  const { show, methods } = store.state;
  const choices = method.views.map(({ name, label }) => ({ value: name, label }));
  if (method.views.length > 1) {
    choices.push({ value: sideBySide, label: "Side by side" });
  }
  if (methods.value.length > 1) choices.push({ value: compare, label: "Compare" });
  if (choices.length < 2) return null;
  const known = choices.some(({ value }) => value === show.value);
  return (
    <Segmented
      label="Show"
      value={known ? show.value : (shownView(method, show.value)?.name ?? "")}
      choices={choices}
      onChange={(value) => {
        store.set("show", value);
        if (value === compare) store.requests.askSoon(0);
      }}
    />
  );
}

function Opacity() {
  const { store } = useView();
  const { opacity } = store.state;
  return (
    <Slider
      label="Opacity"
      value={opacity.value}
      min={0}
      max={1}
      step={0.01}
      text={formatPercent(opacity.value)}
      onInput={(value) => store.set("opacity", value)}
    />
  );
}
