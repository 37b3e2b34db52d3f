/** Choosing what stands beside what, and what is subtracted from what. */
import { useRef } from "preact/hooks";
import { ClassChoice } from "../../shared/controls/class-choice.tsx";
import { HelpButton } from "../../shared/controls/help.tsx";
import { usePopup } from "../../shared/controls/popup.ts";
import { Segmented } from "../../shared/controls/segmented.tsx";
import { formatProbability } from "../../shared/data/format.ts";
import { help } from "../../shared/data/words.ts";
import { saidName } from "../../shared/state/album.ts";
import { type By, type Entry, most } from "../state/comparison.ts";
import type { HeatmapStore } from "../state/store.ts";
import { useView } from "./context.ts";
import { apart, isAnswer, panesOf } from "./panes.ts";

const names: Record<By, string> = { method: "Method", class: "Class", image: "Image", model: "Model" };
const plural: Record<By, string> = { method: "methods", class: "classes", image: "images", model: "models" };

export function CompareButton() {
  const { store } = useView();
  const anchor = useRef<HTMLSpanElement>(null);
  const popup = usePopup(anchor);
  const { ways, by } = store.comparison;
  if (ways.value.length === 0) return null;
  return (
    <span ref={anchor} class="xw-anchor xw-compare">
      <button
        type="button"
        class="xw-button"
        aria-haspopup="dialog"
        aria-expanded={popup.open}
        aria-pressed={by.value !== null}
        onClick={popup.toggle}
      >
        Compare <span aria-hidden="true">▾</span>
      </button>
      {popup.open && (
        <div class="xw-popup xw-compare-box" data-side={popup.side} role="dialog" aria-label="Compare">
          <Choices />
        </div>
      )}
    </span>
  );
}

function Choices() {
  const { store } = useView();
  const { comparison } = store;
  const by = comparison.by.value;
  const choices = [
    { value: "none", label: "Nothing", title: "One picture" },
    ...comparison.ways.value.map((way) => ({
      value: way,
      label: names[way],
      title: `Several ${plural[way]} beside each other`,
    })),
  ];
  return (
    <>
      <Segmented
        label="Beside each other"
        help={help.beside}
        value={by ?? "none"}
        choices={choices}
        onChange={(way) => comparison.start(way === "none" ? null : (way as By))}
      />
      {by && <Entries by={by} />}
      {by && <Difference />}
    </>
  );
}

/** What can stand beside each other, ticked where it does. */
function Entries({ by }: { by: By }) {
  const { store } = useView();
  const { comparison } = store;
  const { image, class_names } = store.state;
  const prediction = store.albumOf(store.method.value).prediction(image.value);
  const chosen = comparison.chosen(by);
  const offered = comparison.offered(by, prediction?.classes ?? []);
  const full = chosen.length >= most;
  const unlisted = comparison.unlisted.value;
  return (
    <>
      <ul class="xw-rows" aria-label={`${names[by]}: beside each other`}>
        {offered.map((entry) => {
          const on = chosen.includes(entry);
          const there = on || isThere(store, by, entry);
          return (
            <li key={entry}>
              <label class="xw-row-label">
                <input
                  type="checkbox"
                  checked={on}
                  disabled={on ? chosen.length < 2 : full || !there}
                  onChange={() => comparison.toggle(by, entry)}
                />
                <span>{entryName(store, by, entry)}</span>
                <small>{entrySaid(store, by, entry)}</small>
              </label>
              {by === "class" && isTarget(store, entry) && (
                <button
                  type="button"
                  class="xw-forget"
                  aria-label={`Take ${entryName(store, by, entry)} off the list`}
                  title="Take it off the list"
                  onClick={() => comparison.forget(Number(entry))}
                >
                  ×
                </button>
              )}
            </li>
          );
        })}
      </ul>
      {by === "class" && !full && class_names.value.length > offered.length + unlisted.size && (
        <ClassChoice
          label="Add"
          names={class_names.value}
          value={null}
          none="another class"
          prediction={prediction}
          offered={unlisted.size > 0 ? (index) => index === null || !unlisted.has(index) : undefined}
          onChange={(index) => index !== null && comparison.toggle("class", index)}
        />
      )}
      <p class="xw-hint">
        {full ? `${most} are the most that stand beside each other.` : hintOf(by, offered.length)}
      </p>
    </>
  );
}

/** Whether it is a target that somebody named or pointed at, which can be taken off the list where there is a kernel. */
function isTarget(store: HeatmapStore, entry: Entry): boolean {
  return store.canCompute.value && store.state.targets.value.some(({ index }) => index === entry);
}

/** Whether there is an answer, or can be one: without a kernel only what was saved. */
function isThere(store: HeatmapStore, by: By, entry: Entry): boolean {
  if (by === "class") return store.offers({ target: Number(entry) });
  return by !== "image" || store.canShow(Number(entry));
}

function hintOf(by: By, count: number): string {
  if (by === "image") return "Shift and a click in the row of images do the same.";
  if (by === "model") return "Each model explains the class of the same name, or its own prediction.";
  return count < 2 ? `There is nothing else to compare with.` : `Up to ${most}.`;
}

function entryName(store: HeatmapStore, by: By, entry: Entry): string {
  if (by === "class") return store.className(Number(entry));
  if (by === "image") return `Image ${Number(entry) + 1}`;
  return store.state.methods.value.find(({ name }) => name === entry)?.label ?? String(entry);
}

/** What the model says, in few words; of a method its model where there are several. */
function entrySaid(store: HeatmapStore, by: By, entry: Entry): string {
  const album = store.albumOf(store.method.value);
  if (by === "image") {
    const { predicted, share, kind } = album.entry(Number(entry));
    if (predicted === null || share === null || kind !== "probability") return "";
    return `${saidName(predicted, (index) => store.className(index))} ${formatProbability(share)}`;
  }
  if (by === "class") {
    const said = album.prediction(store.state.image.value);
    const at = said?.classes.indexOf(Number(entry)) ?? -1;
    return said && at >= 0 && said.kind === "probability" ? formatProbability(said.shares[at]!) : "";
  }
  return store.state.methods.value.find(({ name }) => name === entry)?.model_name ?? "";
}

/** One more picture: what one of them has more than another. */
function Difference() {
  const { store } = useView();
  const { difference } = store.state;
  const panes = panesOf(store).filter(isAnswer);
  const pair = difference.value;
  if (panes.length < 2) return null;
  const choose = (end: 0 | 1, place: number) => {
    const now: [number, number] = [...(pair ?? [0, 1])];
    // Both ends on one picture would be nothing: they change places.
    if (now[1 - end] === place) now[1 - end] = now[end]!;
    now[end] = place;
    store.set("difference", now);
  };
  const [one, other] = [panes[pair?.[0] ?? 0], panes[pair?.[1] ?? 1]];
  const why = one && other ? apart(store, one, other) : "";
  const select = (end: 0 | 1, label: string) => (
    <select
      class="xw-select xw-small"
      aria-label={label}
      disabled={!pair}
      value={String((pair ?? [0, 1])[end])}
      onChange={(event) => choose(end, Number(event.currentTarget.value))}
    >
      {panes.map(({ key, short }, place) => (
        <option key={key} value={String(place)}>
          {short}
        </option>
      ))}
    </select>
  );
  return (
    <fieldset class="xw-difference">
      <label class="xw-row-label">
        <input
          type="checkbox"
          checked={pair !== null}
          onChange={(event) => store.set("difference", event.currentTarget.checked ? [0, 1] : null)}
        />
        <span>Difference</span>
      </label>
      <HelpButton of="Difference" help={help.difference} />
      {select(0, "Difference of")} − {select(1, "Minus")}
      {pair && why && <p class="xw-hint">No difference: {why}.</p>}
    </fieldset>
  );
}

export function GalleryButton() {
  const { store } = useView();
  const { gallery } = store.comparison;
  if (store.state.images.value < 2) return null;
  return (
    <button
      type="button"
      class="xw-button"
      aria-pressed={gallery.value}
      title={gallery.value ? "One image" : "All images under this method, on one scale"}
      onClick={() => store.comparison.start(gallery.value ? null : "gallery")}
    >
      Gallery
    </button>
  );
}
