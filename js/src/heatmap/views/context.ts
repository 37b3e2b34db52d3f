/** What every part of one view can reach: the store all views share, and what only this view knows. */
import { type Signal, signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
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
  /** What a screen reader should say next. */
  spoken: Signal<string>;
}

export function newContext(store: HeatmapStore): ViewContext {
  return { store, hover: signal(null), spoken: signal("") };
}

const Context = createContext<ViewContext | null>(null);
export const ViewProvider = Context.Provider;

export function useView(): ViewContext {
  const view = useContext(Context);
  if (!view) throw new Error("a heatmap component was used outside its view");
  return view;
}
