/** One view of a store, in an element. */
import { mountWidget } from "../../shared/page/mount.ts";
import type { ConceptsStore } from "../state/store.ts";
import { StoreProvider } from "./context.ts";
import { ConceptsView } from "./layout.tsx";

export function mount(element: HTMLElement, store: ConceptsStore): () => void {
  const content = (
    <StoreProvider value={store}>
      <ConceptsView />
    </StoreProvider>
  );
  return mountWidget(element, "concepts", store, content);
}
