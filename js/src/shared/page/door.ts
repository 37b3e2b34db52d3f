/** A widget's door to its hosts: anywidget calls what `anywidgetDoor` gives, a saved page what `pageDoor` gives. */
import { Host, type HostModel } from "../state/host.ts";
import { type StandInContent, savedModel } from "../state/standin.ts";
import type { StoreOptions } from "../state/store.ts";
import { liveInFrame } from "./frame.ts";

interface Disposable {
  dispose(): void;
}

/** Called once for a model; its views share one store, so they agree at once and ask Python once. */
export function anywidgetDoor<Store extends Disposable>(
  create: (host: Host, options?: StoreOptions) => Store,
  mount: (el: HTMLElement, store: Store) => () => void,
) {
  return function widget() {
    let store: Store | null = null;
    return {
      initialize({ model }: { model: HostModel }) {
        const own = create(new Host(model));
        store = own;
        return () => own.dispose();
      },
      render({ el }: { el: HTMLElement }) {
        return mount(el, store!);
      },
    };
  };
}

/** Shows a widget without a kernel from what was saved. */
export function pageDoor<Store extends Disposable>(
  create: (host: Host, options?: StoreOptions) => Store,
  mount: (el: HTMLElement, store: Store) => () => void,
) {
  return function standalone(el: HTMLElement, content: StandInContent): () => void {
    const { saved = null } = content;
    const store = create(new Host(savedModel(content)), { standalone: true, saved });
    const unmount = mount(el, store);
    liveInFrame();
    return () => {
      unmount();
      store.dispose();
    };
  };
}
