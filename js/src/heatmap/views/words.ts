/** What is on screen, in words: a method with its settings, the class, what the colours say. */
import { formatCount, formatNumber } from "../../shared/data/format.ts";
import { colourSentence } from "../../shared/data/words.ts";
import type { HeatmapStore } from "../state/store.ts";
import type { Control, Method, ParameterValue } from "../types.ts";
import type { MapPane } from "./panes.ts";

/** "Composite: ε + z⁺, γ: 0.25; 640 masks" */
export function inWords(store: HeatmapStore, method: Method): string {
  const own = store.state.parameters.value[method.name] ?? {};
  const settings = method.controls.map((control) => settingText(control, own[control.name] ?? control.value));
  const { done, unit } = store.progress.value;
  const counted = method.streaming && done ? [`${formatCount(done)} ${unit ?? ""}`.trim()] : [];
  return [...settings.filter((text) => text !== ""), ...counted].join(", ");
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

/** The class explained, and what it is held against. */
export function classText(store: HeatmapStore): string {
  const index = store.explained.value;
  const against = store.state.against.value;
  const name = index === null ? "the class" : store.className(index);
  return against === null ? name : `${name} rather than ${store.className(against)}`;
}

/** What the colours of a pane say. */
export function sentenceOf(store: HeatmapStore, { view, target }: MapPane, colormap: string): string {
  // One sentence for all targets that are side by side.
  const explained = target === undefined ? classText(store) : "what stands above it";
  const named = (text = "") => text.replace("{class}", explained);
  if (!view.high || !view.low) return "";
  return colourSentence(colormap, named(view.high), named(view.low), store.state.overlay.value);
}
