/** One view of a store, in an element. */
import { mountWidget } from "../../shared/page/mount.ts";
import type { FlippingStore } from "../state/store.ts";
import { newContext, ViewProvider } from "./context.ts";
import { FlippingView } from "./layout.tsx";

export function mount(element: HTMLElement, store: FlippingStore): () => void {
  const content = (
    <ViewProvider value={newContext(store)}>
      <FlippingView />
    </ViewProvider>
  );
  return mountWidget(element, "flipping", store, content);
}
