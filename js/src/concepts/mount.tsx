/** One view of a store, in an element. */
import { mountWidget } from "../shared/mount.ts";
import { StoreProvider } from "./context.ts";
import type { ConceptsStore } from "./store.ts";
import { ConceptsView } from "./view.tsx";

export function mount(element: HTMLElement, store: ConceptsStore): () => void {
  const content = (
    <StoreProvider value={store}>
      <ConceptsView />
    </StoreProvider>
  );
  return mountWidget(element, "concepts", store, content);
}
