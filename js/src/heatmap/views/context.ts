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
}

export function newContext(store: HeatmapStore): ViewContext {
  return { store, hover: signal(null) };
}

export const [ViewProvider, useView] = viewContext<ViewContext>("heatmap widget");
