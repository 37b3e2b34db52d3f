/** The files that a person can save from any widget: its figure, and a page of its own. */
import { MenuButton, type MenuItem } from "../controls/menu.tsx";
import type { Figure } from "../drawing/svg.ts";
import type { WidgetStore } from "../state/store.ts";
import type { WidgetState } from "../types.ts";
import { guarded, saveHtml, savePng, saveSvg } from "./save.ts";

interface SaveMenuProps<State extends WidgetState> {
  store: WidgetStore<State>;
  /** What is on screen, as a figure. */
  figure: () => Figure;
  /** What the figures' files are called. */
  name: string;
  /** What the page is called when it has no title. */
  untitled: string;
  /** What a figure shows as PNG, and what is good about its SVG. */
  hints: [png: string, svg: string];
  /** Files that only this widget has; their trouble is said in the widget, too. */
  more?: readonly { label: string; hint: string; save: () => Promise<void> }[];
}

export function SaveMenu<State extends WidgetState>(props: SaveMenuProps<State>) {
  const { store, figure, name, untitled, hints, more = [] } = props;
  const items = [
    { label: "PNG", hint: hints[0], save: () => savePng(name, figure()) },
    { label: "SVG", hint: hints[1], save: () => saveSvg(name, figure()) },
    ...more,
    { label: "HTML", hint: "interactive, works offline", save: () => saveHtml(store, untitled) },
  ].map(({ label, hint, save }): MenuItem => ({ label, hint, run: guarded(store, save) }));
  return <MenuButton label="Save" items={items} />;
}
