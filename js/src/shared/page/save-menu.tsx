/** Save: what is on screen as a picture, or the widget as a page, of this image or of all, with the size it will have. */
import { MenuButton, type MenuItem } from "../controls/menu.tsx";
import { formatBytes } from "../data/format.ts";
import type { Figure } from "../drawing/svg.ts";
import type { WidgetStore } from "../state/store.ts";
import type { WidgetState } from "../types.ts";
import { guarded, saveHtml, savePng, saveSvg } from "./save.ts";

interface SaveMenuProps<State extends WidgetState> {
  store: WidgetStore<State>;
  /** What files are called while the widget has no title. */
  untitled: string;
  /** What is on screen, drawn when it is asked for. */
  figure: () => Figure;
  /** What else can be saved, such as numbers. */
  more?: readonly MenuItem[];
}

const ownSize = 300_000; // bytes of the widget in a page

export function SaveMenu<State extends WidgetState>({
  store,
  untitled,
  figure,
  more = [],
}: SaveMenuProps<State>) {
  const title = store.state.title.value || untitled;
  const count = ("images" in store.initial && (store.host.get<number>("images") ?? 1)) || 1;
  const page = (images: "this" | "all", label: string, hint: string): MenuItem => {
    const weight = store.weight(images);
    const size = weight === null ? "" : `, about ${formatBytes(ownSize + (weight * 4) / 3)}`;
    return { label, hint: `${hint}${size}`, run: guarded(store, () => saveHtml(store, untitled, images)) };
  };
  const all =
    count > 1 && store.canCompute.value
      ? [page("all", `HTML, all ${count} images`, "computes what is missing")]
      : [];
  return (
    <>
      {store.saving.value && (
        <span class="xw-quiet xw-saving" role="status">
          {store.saving.value}
        </span>
      )}
      <MenuButton
        label="Save"
        items={[
          { label: "PNG", hint: "as on screen", run: guarded(store, () => savePng(store, title, figure)) },
          {
            label: "SVG",
            hint: "as on screen, for papers: vector labels",
            run: guarded(store, () => saveSvg(store, title, figure)),
          },
          page("this", "HTML", "interactive, works offline"),
          ...all,
          ...more,
        ]}
      />
    </>
  );
}
