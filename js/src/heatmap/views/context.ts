/** What every part of one view can reach: the store all views share, and what only this view knows. */
import { type Signal, signal } from "@preact/signals";
import { viewContext } from "../../shared/views/context.ts";
import type { HeatmapStore } from "../state/store.ts";

/** The data pixel under the pointer, and the pane that the pointer is in. */
export interface Hover {
  x: number;
  y: number;
  pane: string;
}

export interface ViewContext {
  store: HeatmapStore;
  hover: Signal<Hover | null>;
  /** Whether a click on the picture asks about what is there, where that can be asked; else it pins the pixel. */
  asking: Signal<boolean>;
  /** The first corner of a box that is drawn by keys. */
  corner: Signal<{ x: number; y: number } | null>;
}

export function newContext(store: HeatmapStore): ViewContext {
  return { store, hover: signal(null), asking: signal(true), corner: signal(null) };
}

export const [ViewProvider, useView] = viewContext<ViewContext>("heatmap widget");
