/** Progress with Stop and Go on, GAE, and Save. */
import { download, fileName } from "../../shared/page/download.ts";
import { guarded } from "../../shared/page/save.ts";
import { SaveMenu } from "../../shared/page/save-menu.tsx";
import { ProgressBar } from "../../shared/views/progress.tsx";
import { useView } from "./context.ts";
import { csvOf } from "./csv.ts";
import { figureOf } from "./figure.ts";

export function Footer() {
  const { store } = useView();
  const title = store.state.title.value;
  const live = store.canCompute.value;
  const busy = store.busy.value;
  const { curves } = store.shown.value;
  const csv = async () => {
    const text = csvOf(curves);
    download(new Blob([text], { type: "text/csv" }), fileName(title, "csv"));
  };
  const missing = store.state.gae_missing.value;
  return (
    <footer class="xw-footer">
      <ProgressBar progress={store.progress.value} />
      {busy && (
        <button type="button" class="xw-button" onClick={() => store.stop()}>
          Stop
        </button>
      )}
      {live && !busy && curves?.header.unfinished && (
        <button type="button" class="xw-button" onClick={() => store.goOn()}>
          Go on
        </button>
      )}
      {live && (
        <button
          type="button"
          class="xw-button"
          disabled={busy || missing !== ""}
          title={
            missing ||
            "Global Attribution Evaluation: faithfulness, robustness and localisation in one number"
          }
          onClick={() => store.computeGae()}
        >
          Compute GAE
        </button>
      )}
      <SaveMenu
        store={store}
        untitled="Pixel flipping"
        figure={() => figureOf(store)}
        more={[{ label: "CSV", hint: "every point of every curve", run: guarded(store, csv) }]}
      />
    </footer>
  );
}
