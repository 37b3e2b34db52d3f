/** Progress with Stop and Go on, GAE, and Save. */
import { MenuButton } from "../../shared/controls/menu.tsx";
import { download, fileName } from "../../shared/page/download.ts";
import { guarded, saveHtml, savePng, saveSvg } from "../../shared/page/save.ts";
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
      <MenuButton
        label="Save"
        items={[
          {
            label: "PNG",
            hint: "curves and pictures",
            run: guarded(store, () => savePng(title, figureOf(store))),
          },
          {
            label: "SVG",
            hint: "for papers: vector curves",
            run: guarded(store, () => saveSvg(title, figureOf(store))),
          },
          { label: "CSV", hint: "every point of every curve", run: guarded(store, csv) },
          {
            label: "HTML",
            hint: "interactive, works offline",
            run: guarded(store, () => saveHtml(store, "Pixel flipping")),
          },
        ]}
      />
    </footer>
  );
}
