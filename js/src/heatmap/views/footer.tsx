/** Progress with Stop and More, and Save. */
import { SaveMenu } from "../../shared/page/save-menu.tsx";
import { ProgressBar } from "../../shared/views/progress.tsx";
import { useView } from "./context.ts";
import { figureOf } from "./figure.ts";
import { numberFiles } from "./numbers.ts";

export function Footer() {
  const { store } = useView();
  const method = store.method.value;
  const untitled = `${method?.label ?? "Heatmap"} ${store.state.model_name.value}`.trim();
  const several = store.comparison.shown.value.length > 1;
  const live = store.canCompute.value;
  return (
    <footer class="xw-footer">
      <ProgressBar progress={store.progress.value} />
      {live && (
        <button type="button" class="xw-button" disabled={!store.busy.value} onClick={() => store.stop()}>
          Stop
        </button>
      )}
      {live && store.requests.halted.value && store.progress.value.state === "stopped" && several && (
        <button type="button" class="xw-button" onClick={() => store.requests.askSoon(0)}>
          Go on
        </button>
      )}
      {live && method?.streaming && !store.comparison.gallery.value && (
        <button type="button" class="xw-button" disabled={store.busy.value} onClick={() => store.more()}>
          More
        </button>
      )}
      <SaveMenu
        store={store}
        untitled={untitled}
        figure={() => figureOf(store)}
        more={numberFiles(store, store.state.title.value || untitled)}
      />
    </footer>
  );
}
