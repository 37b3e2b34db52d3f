/** What every part of one view can reach: the store all views share, and what only this view knows. */
import { type Signal, signal } from "@preact/signals";
import { viewContext } from "../../shared/views/context.ts";
import type { FlippingStore } from "../state/store.ts";
import type { CurveOrder, Patch } from "../types.ts";

/** What the pointer is on: a point of the chart, a line of the table, or a patch of a picture. */
export interface Hover {
  method?: string;
  step?: number;
  order?: CurveOrder;
  patch?: Patch;
  /** The picture that the pointer is in, and whether there is more room to its left than to its right. */
  pane?: string;
  leftwards?: boolean;
}

export interface ViewContext {
  store: FlippingStore;
  hover: Signal<Hover | null>;
  playing: Signal<boolean>;
}

export function newContext(store: FlippingStore): ViewContext {
  return { store, hover: signal(null), playing: signal(false) };
}

export const [ViewProvider, useView] = viewContext<ViewContext>("flipping viewer");
