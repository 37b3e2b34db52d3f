/**
 * The heatmap widget's door to its hosts: anywidget calls the default export, a saved page calls `standalone`.
 */
import { Host, type HostModel } from "../shared/host.ts";
import { type StandInContent, StandInModel, savedModel } from "../shared/standin.ts";
import { mount } from "./mount.tsx";
import { HeatmapStore } from "./store.ts";
import "../shared/base.css";
import "../shared/controls/controls.css";
import "./heatmap.css";

/** Called once for a model; its views share one store, so they agree at once and ask Python once. */
export default function widget() {
  let store: HeatmapStore | null = null;
  return {
    initialize({ model }: { model: HostModel }) {
      const own = new HeatmapStore(new Host(model));
      store = own;
      return () => own.dispose();
    },
    render({ el }: { el: HTMLElement }) {
      return mount(el, store!);
    },
  };
}

/** Shows a widget without a kernel from what was saved. */
export function standalone(el: HTMLElement, content: StandInContent): () => void {
  const store = new HeatmapStore(new Host(savedModel(content)), { standalone: true });
  const unmount = mount(el, store);
  return () => {
    unmount();
    store.dispose();
  };
}

export { StandInModel };
