/** Under the pictures: what their colours say, how to begin, and what each result has to say, in a line that opens to a table. */
import { computed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { FirstUse } from "../../shared/controls/first-use.tsx";
import { caution } from "../../shared/data/words.ts";
import { Sentence as Line } from "../../shared/views/sentence.tsx";
import type { HeatmapStore } from "../state/store.ts";
import { useView } from "./context.ts";
import { contentOf, type MapPane, panesOf, scaleSentence, showsMap } from "./panes.ts";
import { sentenceOf } from "./words.ts";

/** What the colours of all panes say; each sentence once. */
export function Sentence() {
  const { store } = useView();
  const sentences = useMemo(
    () =>
      computed(() => {
        const said = panesOf(store)
          .filter(showsMap)
          .flatMap((pane) => {
            const content = contentOf(store, pane);
            return content ? [sentenceOf(store, pane, content)] : [];
          });
        return [...new Set(said)].filter(Boolean).join(" ");
      }),
    [store],
  ).value;
  const cautions = [
    ...new Set(
      panesOf(store)
        .filter(showsMap)
        .flatMap((pane) => cautionsOf(store, pane)),
    ),
  ];
  return (
    <>
      <Line text={sentences} cautions={cautions} />
      <Scales />
      <FirstUse name="heatmap">
        {store.places.value
          ? "Move over the picture to read values, click to ask about what is there, press C to copy a value; Ctrl or ⌘ and the wheel zoom. Every “?” says what something is."
          : "Move over the picture to read values, click to pin one, press C to copy it; Ctrl or ⌘ and the wheel zoom, dragging moves. Every “?” says what something is."}
      </FirstUse>
    </>
  );
}

/** What a pane's result must not be taken for. */
function cautionsOf(store: HeatmapStore, { method, target }: MapPane): string[] {
  const notes = store.result(method, target).set?.notes ?? [];
  return notes.filter(([label]) => label === caution).map(([, text]) => text);
}

/** Whether what is compared may be compared by its colours. */
function Scales() {
  const { store } = useView();
  const said = scaleSentence(store);
  return said ? (
    <p class="xw-sentence xw-scales" title={said}>
      {said}
    </p>
  ) : null;
}

export function Notes() {
  const { store } = useView();
  const panes = panesOf(store).filter(showsMap);
  // All views of one answer have the same to say.
  const answers = new Map(panes.map((pane) => [`${pane.method.name} ${pane.target}`, pane]));
  return (
    <div class="xw-all-notes">
      {[...answers].map(([key, pane]) => (
        <MethodNotes key={key} pane={pane} named={answers.size > 1} />
      ))}
    </div>
  );
}

function MethodNotes({ pane, named }: { pane: MapPane; named: boolean }) {
  const { store } = useView();
  const { set } = store.result(pane.method, pane.target);
  const lines = (set?.notes ?? []).filter(([label]) => label !== caution);
  const first = lines.slice(0, 2).map(([label, text]) => `${label} ${text}`);
  if (lines.length === 0) return <p class="xw-notes-line" />;
  return (
    <details class="xw-notes">
      <summary class="xw-notes-line">
        {named && pane.target === undefined && `${pane.method.label}: `}
        {first.join(" · ")}
        {lines.length > 2 && ` · ${lines.length - 2} more`}
      </summary>
      <table>
        <tbody>
          {lines.map(([label, text]) => (
            <tr key={label}>
              <th scope="row">{label}</th>
              <td>{text}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
