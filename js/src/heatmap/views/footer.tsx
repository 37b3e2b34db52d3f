/** Progress with Stop and More, and Save. */
import { MenuButton } from "../../shared/controls/menu.tsx";
import { guarded, saveHtml, savePng, saveSvg } from "../../shared/page/save.ts";
import { ProgressBar } from "../../shared/views/progress.tsx";
import { useView } from "./context.ts";
import { figureOf } from "./figure.ts";

export function Footer() {
  const { store } = useView();
  const method = store.method.value;
  const title = store.state.title.value;
  const png = () => savePng(title, figureOf(store));
  const svg = () => saveSvg(title, figureOf(store));
  const html = () => saveHtml(store, "Heatmap");
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
      <MenuButton
        label="Save"
        items={[
          { label: "PNG", hint: "picture with its legend", run: guarded(store, png) },
          { label: "SVG", hint: "for papers: vector labels", run: guarded(store, svg) },
          { label: "HTML", hint: "interactive, works offline", run: guarded(store, html) },
        ]}
      />
    </footer>
  );
}
