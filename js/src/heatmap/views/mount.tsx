/** One view of a store, in an element. */
import { mountWidget } from "../../shared/page/mount.ts";
import type { HeatmapStore } from "../state/store.ts";
import { newContext, ViewProvider } from "./context.ts";
import { HeatmapView } from "./layout.tsx";

export function mount(element: HTMLElement, store: HeatmapStore): () => void {
  const content = (
    <ViewProvider value={newContext(store)}>
      <HeatmapView />
    </ViewProvider>
  );
  return mountWidget(element, "heatmap", store, content);
}
