/** Under the pictures: what their colours say, how to begin, and what each result has to say, in a line that opens to a table. */
import { computed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { FirstUse } from "../../shared/controls/first-use.tsx";
import { formatNumber, formatProbability } from "../../shared/data/format.ts";
import { caution } from "../../shared/data/words.ts";
import { isRight, saidName } from "../../shared/state/album.ts";
import { Sentence as Line } from "../../shared/views/sentence.tsx";
import { Verdict } from "../../shared/views/verdict.tsx";
import type { HeatmapStore } from "../state/store.ts";
import type { Note } from "../types.ts";
import { useView } from "./context.ts";
import {
  contentOf,
  differenceSentence,
  imageOf,
  isAnswer,
  type MapPane,
  type Pane,
  panesOf,
  scaleSentence,
} from "./panes.ts";
import { sentenceOf } from "./words.ts";

/** What the colours of all panes say; each sentence once. */
export function Sentence() {
  const { store } = useView();
  const sentences = useMemo(
    () =>
      computed(() => {
        const said = panesOf(store)
          .filter(isAnswer)
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
        .filter(isAnswer)
        .flatMap((pane) => cautionsOf(store, pane)),
    ),
  ];
  return (
    <>
      {/* Beside each other, each picture has its own beneath it. */}
      <Line text={sentences} cautions={store.comparison.by.value ? [] : cautions} />
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
function cautionsOf(store: HeatmapStore, pane: MapPane): string[] {
  const notes = store.result(pane).set?.notes ?? [];
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

/** What the answer on screen has to say; all its views have the same. */
export function Notes() {
  const { store } = useView();
  const pane = panesOf(store).find(isAnswer);
  if (!pane || store.comparison.several.value) return null;
  return <NoteLines lines={notesOf(store, pane)} />;
}

function notesOf(store: HeatmapStore, pane: MapPane): Note[] {
  return (store.result(pane).set?.notes ?? []).filter(([label]) => label !== caution);
}

/** Under a picture that stands beside others: what its model says, what is explained, what it must not be taken for. */
export function PaneNotes({ pane }: { pane: Pane }) {
  const { store } = useView();
  if (!isAnswer(pane))
    return (
      <div class="xw-pane-notes">
        <p>{differenceSentence(store, pane)}</p>
      </div>
    );
  const said = predictedText(store, pane);
  const cautions = cautionsOf(store, pane);
  return (
    <div class="xw-pane-notes">
      <p class="xw-notes-line" title={said?.text}>
        {said && (
          <>
            <Verdict right={said.right} /> {said.text}
          </>
        )}
      </p>
      <NoteLines lines={notesOf(store, pane)} />
      {cautions.map((text) => (
        <p key={text} class="xw-notes-line xw-caution" title={text}>
          ⚠ {text}
        </p>
      ))}
    </div>
  );
}

/** "predicts star 98 %": of the pane's own model and image. */
export function predictedText(
  store: HeatmapStore,
  pane: MapPane,
): { text: string; right: boolean | null } | null {
  const entry = store.albumOf(pane.method).entry(imageOf(store, pane));
  if (entry.predicted === null || entry.share === null) return null;
  const name = saidName(entry.predicted, (index) => store.className(index));
  const number = entry.kind === "probability" ? formatProbability(entry.share) : formatNumber(entry.share);
  return { text: `predicts ${name} ${number}`, right: isRight(entry) };
}

function NoteLines({ lines }: { lines: readonly Note[] }) {
  const first = lines.slice(0, 2).map(([label, text]) => `${label} ${text}`);
  if (lines.length === 0) return <p class="xw-notes-line" />;
  return (
    <details class="xw-notes">
      <summary class="xw-notes-line" title={first.join(" · ")}>
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
