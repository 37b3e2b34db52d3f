/** What is on screen, in words: a method with its settings, the class, what the colours say. */
import { formatCount, formatNumber } from "../../shared/data/format.ts";
import { colourSentence, emptySentence, givenSentence } from "../../shared/data/words.ts";
import { saysNothing } from "../../shared/drawing/painter.ts";
import type { HeatmapStore } from "../state/store.ts";
import type { Control, Method, ParameterValue, Question } from "../types.ts";
import { layerSentence } from "./layer.ts";
import type { MapPane, PaneContent } from "./panes.ts";

/** "Composite: ε + z⁺, γ: 0.25; 640 masks" */
export function inWords(store: HeatmapStore, method: Method): string {
  const settings = settingsOf(method, store.state.parameters.value[method.name] ?? {});
  const { done, unit } = store.progress.value;
  const counted = method.streaming && done ? [`${formatCount(done)} ${unit ?? ""}`.trim()] : [];
  return [...settings, ...counted].join(", ");
}

function settingsOf(method: Method, own: Question["parameters"]): string[] {
  const all = method.controls.map((control) => settingText(control, own[control.name] ?? control.value));
  return all.filter((text) => text !== "");
}

/** A setting as people read it; nothing for what is not chosen. */
function settingText({ label, type, options = [] }: Control, value: ParameterValue): string {
  if (type === "bool") return value ? label.toLowerCase() : "";
  const chosen = options.find((option) => (typeof option === "object" ? option.value : option) === value);
  const text =
    typeof chosen === "object"
      ? chosen.label
      : type === "choice"
        ? String(value)
        : formatNumber(Number(value));
  return type === "choice" ? text : `${label.split(":")[0]} ${text}`;
}

/** The class that a question asks about, and what it is held against. */
export function classText(
  store: HeatmapStore,
  { image, method, target, against }: Pick<Question, "image" | "method" | "target" | "against">,
): string {
  const asked = store.state.methods.value.find(({ name }) => name === method) ?? null;
  const index = target ?? store.albumOf(asked).prediction(image)?.classes[0] ?? null;
  const name = index === null ? "the class" : store.className(index);
  return against === null ? name : `${name} rather than ${store.className(against)}`;
}

/** What the colours of a pane say: of the map that is there, whatever else is asked for by now. */
export function sentenceOf(
  store: HeatmapStore,
  { view, target, image }: MapPane,
  content: PaneContent,
): string {
  const { question, paint } = content;
  const { map, colormap } = paint;
  if (saysNothing(paint)) return emptySentence(map.flat!);
  // One sentence for all targets or images that are side by side.
  const several = image !== undefined || store.comparison.by.value === "model";
  const beside = target !== undefined || (several && question.target === null);
  const explained = beside
    ? target === undefined
      ? content.explains
        ? "the class that it explains"
        : "the class predicted"
      : "what stands above it"
    : content.explains || classText(store, question);
  const named = (text = "") => text.replace("{class}", explained);
  if (!view.high || !view.low) return "";
  const style = store.state.overlay.value;
  const said = view.given
    ? givenSentence(colormap, view.high, view.low, style)
    : colourSentence(colormap, named(view.high), named(view.low), style);
  return content.layer ? `${said} ${layerSentence(store, content.layer)}` : said;
}

/** Of a map that does not answer the present question: what it explains, and what becomes of the answer. */
export function stillText(store: HeatmapStore, pane: MapPane, { question }: PaneContent): string {
  const { method } = pane;
  const asked = store.question(pane);
  const other = asked.target !== question.target || asked.against !== question.against;
  const settings = JSON.stringify(asked.parameters) !== JSON.stringify(question.parameters);
  const named = (of: Question) => {
    const parts = other && method.classes ? [classText(store, of)] : [];
    if (settings) parts.push(...settingsOf(method, of.parameters));
    return parts.join(", ") || method.label;
  };
  const state = store.busy.value
    ? "computing"
    : store.state.status.value.state === "error"
      ? "no answer for"
      : "not computed:";
  return `still: ${named(question)} · ${state} ${named(asked)}${store.busy.value ? "…" : ""}`;
}
