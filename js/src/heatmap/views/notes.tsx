/** Under the pictures: what their colours say, how to begin, and what each result has to say, in a line that opens to a table. */
import { computed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { FirstUse } from "../../shared/controls/first-use.tsx";
import { caution } from "../../shared/data/words.ts";
import { Sentence as Line } from "../../shared/views/sentence.tsx";
import type { HeatmapStore } from "../state/store.ts";
import { useView } from "./context.ts";
import { contentOf, type MapPane, panesOf, showsMap } from "./panes.ts";
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
            return content ? [sentenceOf(store, pane, content.paint.colormap)] : [];
          });
        return [...new Set(said)].join(" ");
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
      <FirstUse name="heatmap">
        Move over the picture to read values, click to pin one, press C to copy it; Ctrl or ⌘ and the wheel
        zoom, dragging moves. Every “?” says what something is.
      </FirstUse>
    </>
  );
}

/** What a pane's result must not be taken for. */
function cautionsOf(store: HeatmapStore, { method }: MapPane): string[] {
  const notes = store.result(method).set?.notes ?? [];
  return notes.filter(([label]) => label === caution).map(([, text]) => text);
}

export function Notes() {
  const { store } = useView();
  const panes = panesOf(store).filter(showsMap);
  const byMethod = new Map(panes.map((pane) => [pane.method.name, pane]));
  return (
    <div class="xw-all-notes">
      {[...byMethod.values()].map((pane) => (
        <MethodNotes key={pane.method.name} pane={pane} named={byMethod.size > 1} />
      ))}
    </div>
  );
}

function MethodNotes({ pane, named }: { pane: MapPane; named: boolean }) {
  const { store } = useView();
  const { set } = store.result(pane.method);
  const lines = (set?.notes ?? []).filter(([label]) => label !== caution);
  const first = lines.slice(0, 2).map(([label, text]) => `${label} ${text}`);
  if (lines.length === 0) return <p class="xw-notes-line" />;
  return (
    <details class="xw-notes">
      <summary class="xw-notes-line">
        {named && `${pane.method.label}: `}
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
