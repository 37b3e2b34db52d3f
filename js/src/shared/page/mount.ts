/** Puts one view of a widget into an element, and takes it out again. */
import { type ComponentChildren, h, render } from "preact";
import { GestureProvider } from "../controls/gesture.ts";
import type { WidgetStore } from "../state/store.ts";
import type { WidgetState } from "../types.ts";
import { followTheme } from "./theme.ts";

export function mountWidget<State extends WidgetState>(
  element: HTMLElement,
  name: string,
  store: WidgetStore<State>,
  content: ComponentChildren,
): () => void {
  const root = document.createElement("div");
  root.className = `xw xw-${name}`;
  // JupyterLab reads keys before we do, and "0 0" restarts its kernel: within the widget, keys are ours.
  root.dataset.lmSuppressShortcuts = "true";
  // Its cells and lists also take arrow keys, which are to move our sliders.
  root.addEventListener("keydown", (event) => event.stopPropagation());
  element.append(root);
  const stopTheme = followTheme(root, store.state.theme);
  // Controls hold changes back from Python while a gesture lasts.
  render(h(GestureProvider, { value: store.committer }, content), root);
  store.hello();
  return () => {
    render(null, root);
    stopTheme();
    root.remove();
  };
}
