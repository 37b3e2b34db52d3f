/** Progress with Stop and More, and Save. */
import { MenuButton } from "../shared/controls/menu.tsx";
import { ProgressBar } from "../shared/progress.tsx";
import { useView } from "./context.ts";
import { saveHtml, savePng, saveSvg } from "./save.ts";

export function Footer() {
  const view = useView();
  const { store, trouble } = view;
  const method = store.method.value;
  const guard = (work: () => Promise<void>) => () => {
    trouble.value = "";
    work().catch((error: unknown) => {
      trouble.value = `The file could not be written: ${error instanceof Error ? error.message : String(error)}`;
    });
  };
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
          { label: "PNG", hint: "picture with its legend", run: guard(() => savePng(store)) },
          { label: "SVG", hint: "for papers: vector labels", run: guard(() => saveSvg(store)) },
          { label: "HTML", hint: "interactive, works offline", run: guard(() => saveHtml(store)) },
        ]}
      />
    </footer>
  );
}
