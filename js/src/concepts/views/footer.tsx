/** Progress with Stop, and Save. */
import { MenuButton } from "../../shared/controls/menu.tsx";
import { guarded, saveHtml, savePng, saveSvg } from "../../shared/page/save.ts";
import { ProgressBar } from "../../shared/views/progress.tsx";
import { useStore } from "./context.ts";
import { figureOf } from "./figure.ts";

export function Footer() {
  const store = useStore();
  const title = store.state.title.value || "concepts";
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
      <MenuButton
        label="Save"
        items={[
          {
            label: "PNG",
            hint: "the concept with its references",
            run: guarded(store, () => savePng(title, figureOf(store))),
          },
          {
            label: "SVG",
            hint: "for papers: vector labels",
            run: guarded(store, () => saveSvg(title, figureOf(store))),
          },
          {
            label: "HTML",
            hint: "interactive, works offline",
            run: guarded(store, () => saveHtml(store, "Concepts")),
          },
        ]}
      />
    </footer>
  );
}
