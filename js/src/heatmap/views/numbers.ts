/** The numbers behind the pictures: the value at a pixel for the clipboard, the maps on screen as files. */
import { csvText, npyBytes } from "../../shared/data/tables.ts";
import { copyText } from "../../shared/page/copy.ts";
import { download, fileName } from "../../shared/page/download.ts";
import { guarded } from "../../shared/page/save.ts";
import type { HeatmapStore } from "../state/store.ts";
import { contentOf, type MapPane, type PaneContent, panesOf, showsMap } from "./panes.ts";

/** The maps on screen, each once: two views may show one map. */
function shownMaps(store: HeatmapStore): { pane: MapPane; content: PaneContent }[] {
  const found = panesOf(store)
    .filter(showsMap)
    .flatMap((pane) => {
      const content = contentOf(store, pane);
      return content ? [{ pane, content }] : [];
    });
  return found.filter(
    ({ content }, i) => found.findIndex((other) => other.content.paint.map === content.paint.map) === i,
  );
}

/** A line a pixel: its place, and each map's value there with its standard error where it has one. */
export function csvOf(store: HeatmapStore): string {
  const shown = shownMaps(store);
  const first = shown[0]?.content.paint.map;
  if (!first) throw new Error("there are no numbers to save yet");
  const columns = shown.flatMap(({ pane, content }) => {
    const own = { name: columnOf(pane, content), map: content.paint.map };
    const erring = content.error && pane.view.map === pane.method.views[0]?.map;
    return erring ? [own, { name: `${own.name}: standard error`, map: content.error! }] : [own];
  });
  const rows: (string | number)[][] = [["row", "column", ...columns.map(({ name }) => name)]];
  for (let y = 0; y < first.height; y++)
    for (let x = 0; x < first.width; x++) rows.push([y, x, ...columns.map(({ map }) => map.at(x, y))]);
  return csvText(rows);
}

function columnOf({ label }: MapPane, { layer }: PaneContent): string {
  return layer ? `${label.toLowerCase()} at ${layer.name}` : label.toLowerCase();
}

/** (height, width) of one map, (maps, height, width) of several. */
export function npyOf(store: HeatmapStore): Uint8Array<ArrayBuffer> {
  const maps = shownMaps(store).map(({ content }) => content.paint.map);
  const first = maps[0];
  if (!first) throw new Error("there are no numbers to save yet");
  const values = new Float32Array(maps.length * first.values.length);
  maps.forEach((map, i) => {
    values.set(map.values, i * first.values.length);
  });
  const size = [first.height, first.width];
  return npyBytes(values, maps.length > 1 ? [maps.length, ...size] : size);
}

/** What the menu of files offers. */
export function numberFiles(store: HeatmapStore, title: string) {
  const file = (content: () => BlobPart, extension: string) =>
    guarded(store, async () => {
      const name = fileName(title, extension);
      download(new Blob([content()]), name);
      store.saving.value = `saved ${name}`;
    });
  return [
    { label: "CSV", hint: "the numbers, a line a pixel", run: file(() => csvOf(store), "csv") },
    { label: ".npy", hint: "the numbers, as numpy.load reads them", run: file(() => npyOf(store), "npy") },
  ];
}

/** Copies what is read at a pixel, and says so. */
export function copyReading(store: HeatmapStore, text: string): void {
  const copy = guarded(store, async () => {
    await copyText(text);
    store.saving.value = `copied ${text}`;
  });
  copy();
}
