/** Progress with Stop, and Save. */
import { SaveMenu } from "../../shared/page/save-menu.tsx";
import { ProgressBar } from "../../shared/views/progress.tsx";
import { useStore } from "./context.ts";
import { figureOf } from "./figure.ts";

export function Footer() {
  const store = useStore();
  return (
    <footer class="xw-footer">
      <ProgressBar progress={store.progress.value} />
      {store.busy.value && (
        <button type="button" class="xw-button" onClick={() => store.stop()}>
          Stop
        </button>
      )}
      {store.progress.value.state === "stopped" && store.canCompute.value && (
        <button type="button" class="xw-button" onClick={() => store.requests.again()}>
          Go on
        </button>
      )}
      <SaveMenu store={store} untitled="Concepts" figure={() => figureOf(store)} />
    </footer>
  );
}
