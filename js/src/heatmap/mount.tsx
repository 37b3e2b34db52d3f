/** Puts one view of a store into an element, and takes it out again. */
import { render } from "preact";
import { followTheme } from "../shared/theme.ts";
import { newContext, ViewProvider } from "./context.ts";
import type { HeatmapStore } from "./store.ts";
import { HeatmapView } from "./view.tsx";

export function mount(element: HTMLElement, store: HeatmapStore): () => void {
  const root = document.createElement("div");
  root.className = "xw xw-heatmap";
  // JupyterLab reads keys before we do, and "0 0" restarts its kernel: within the widget, keys are ours.
  root.dataset.lmSuppressShortcuts = "true";
  // Its cells and lists also take arrow keys, which are to move our sliders.
  root.addEventListener("keydown", (event) => event.stopPropagation());
  element.append(root);
  const stopTheme = followTheme(root, store.state.theme);
  render(
    <ViewProvider value={newContext(store)}>
      <HeatmapView />
    </ViewProvider>,
    root,
  );
  store.hello();
  return () => {
    render(null, root);
    stopTheme();
    root.remove();
  };
}
