/** One view of a store, in an element. */
import { mountWidget } from "../shared/mount.ts";
import { newContext, ViewProvider } from "./context.ts";
import type { FlippingStore } from "./store.ts";
import { FlippingView } from "./view.tsx";

export function mount(element: HTMLElement, store: FlippingStore): () => void {
  const content = (
    <ViewProvider value={newContext(store)}>
      <FlippingView />
    </ViewProvider>
  );
  return mountWidget(element, "flipping", store, content);
}
