/** Save as PNG, SVG or HTML. */
import { download, fileName } from "../shared/download.ts";
import { standalonePage } from "../shared/standalone.ts";
import type { StandInContent } from "../shared/standin.ts";
import { toBase64 } from "../shared/wire.ts";
import { figurePng, figureSvg } from "./figure.ts";
import type { HeatmapStore } from "./store.ts";
import { type HeatmapState, initialState, type Method } from "./types.ts";

const patience = 15_000; // ms that Python may take to write the page

export async function savePng(store: HeatmapStore): Promise<void> {
  download(await figurePng(figureSvg(store)), fileName(store.state.title.value, "png"));
}

export async function saveSvg(store: HeatmapStore): Promise<void> {
  const { svg } = figureSvg(store);
  download(new Blob([svg], { type: "image/svg+xml" }), fileName(store.state.title.value, "svg"));
}

/** Python writes the page, as it has all images and methods; without a kernel we write what is here. */
export async function saveHtml(store: HeatmapStore): Promise<void> {
  const fromPython = store.connection.value === "live" ? await askPython(store) : null;
  const page = fromPython ?? { name: fileName(store.state.title.value, "html"), content: ownPage(store) };
  download(new Blob([page.content], { type: "text/html" }), page.name);
}

function askPython(store: HeatmapStore): Promise<{ name: string; content: BlobPart } | null> {
  store.committer.flush();
  const id = Date.now();
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer);
      store.onExport = null;
    };
    const timer = setTimeout(() => {
      done();
      resolve(null);
    }, patience);
    store.onExport = (message, bytes) => {
      if (message.id !== id) return;
      done();
      if (message.error || !bytes) reject(new Error(message.error || "Python sent no page"));
      else resolve({ name: message.name || fileName(store.state.title.value, "html"), content: bytes });
    };
    store.host.send({ type: "export", id, format: "html" });
  });
}

function ownPage(store: HeatmapStore): string {
  const bundle = store.host.get<unknown>("_esm");
  const css = store.host.get<unknown>("_css");
  const open = document.getElementById("bundle")?.textContent; // we are a saved page ourselves
  const script = typeof bundle === "string" ? bundle : open ? atob(open) : null;
  if (script === null)
    throw new Error("no kernel is connected, and this page does not hold the widget's code");
  const style =
    typeof css === "string"
      ? css
      : [...document.querySelectorAll("style")].map((s) => s.textContent).join("\n");
  return standalonePage(store.state.title.value || "Heatmap", script, style, ownContent(store));
}

/** Everything this browser has received, in the form a stand-in model answers with. */
export function ownContent(store: HeatmapStore): StandInContent {
  const state: Record<string, unknown> = {};
  for (const name of Object.keys(initialState) as (keyof HeatmapState)[])
    state[name] = store.state[name].value;
  state.snapshot = null;
  const messages: StandInContent["messages"] = [];
  for (const [image, picture] of store.pictures.value) {
    const { data } = picture.canvas.getContext("2d")!.getImageData(0, 0, picture.width, picture.height);
    const rgb = new Uint8Array((data.length / 4) * 3);
    for (let i = 0; i < data.length / 4; i++) rgb.set(data.subarray(i * 4, i * 4 + 3), i * 3);
    const shape = [picture.height, picture.width, 3];
    messages.push({ content: { type: "picture", image, shape }, buffers: [toBase64(rgb)] });
  }
  for (const method of store.state.methods.value) {
    const message = mapsMessage(store, method);
    if (message) messages.push(message);
  }
  return { state, messages };
}

function mapsMessage(store: HeatmapStore, method: Method): StandInContent["messages"][number] | null {
  const { set } = store.result(method);
  if (!set) return null;
  const maps = [...set.maps.values()];
  const headers = maps.map(({ name, height, width, extent }) => ({
    name,
    dtype: "float32",
    shape: [height, width],
    range: extent,
  }));
  return {
    content: {
      type: "maps",
      ...store.question(method),
      maps: headers,
      shared_range: set.sharedRange,
      final: true,
    },
    buffers: maps.map(({ values }) =>
      toBase64(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
    ),
  };
}
