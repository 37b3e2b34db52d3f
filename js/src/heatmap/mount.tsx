/** One view of a store, in an element. */
import { mountWidget } from "../shared/mount.ts";
import { newContext, ViewProvider } from "./context.ts";
import type { HeatmapStore } from "./store.ts";
import { HeatmapView } from "./view.tsx";

export function mount(element: HTMLElement, store: HeatmapStore): () => void {
  const content = (
    <ViewProvider value={newContext(store)}>
      <HeatmapView />
    </ViewProvider>
  );
  return mountWidget(element, "heatmap", store, content);
}
