/** Progress with Stop and More, and Save. */
import { SaveMenu } from "../../shared/page/save-menu.tsx";
import { ProgressBar } from "../../shared/views/progress.tsx";
import { useView } from "./context.ts";
import { figureOf } from "./figure.ts";

export function Footer() {
  const { store } = useView();
  const method = store.method.value;
  const live = store.canCompute.value;
  return (
    <footer class="xw-footer">
      <ProgressBar progress={store.progress.value} />
      {method?.streaming && live && (
        <>
          <button type="button" class="xw-button" disabled={!store.busy.value} onClick={() => store.stop()}>
            Stop
          </button>
          <button type="button" class="xw-button" disabled={store.busy.value} onClick={() => store.more()}>
            More
          </button>
        </>
      )}
      {!method?.streaming && store.busy.value && (
        <button type="button" class="xw-button" onClick={() => store.stop()}>
          Stop
        </button>
      )}
      <SaveMenu
        store={store}
        figure={() => figureOf(store)}
        name={store.state.title.value}
        untitled="Heatmap"
        hints={["picture with its legend", "for papers: vector labels"]}
      />
    </footer>
  );
}
