/**
 * Files that a person saves from a widget: what is on screen as PNG or SVG, the widget itself as a page. What is being
 * computed is waited for: a file without its answer would be a trap.
 */
import { effect } from "@preact/signals";
import { formatBytes } from "../data/format.ts";
import { type Figure, figurePng } from "../drawing/svg.ts";
import type { StandInContent } from "../state/standin.ts";
import type { WidgetStore } from "../state/store.ts";
import type { WidgetState } from "../types.ts";
import { download, fileName } from "./download.ts";
import { standalonePage } from "./standalone.ts";

const patience = 15_000; // ms without a sign of life that Python may take to write the page

export async function savePng<State extends WidgetState>(
  store: WidgetStore<State>,
  title: string,
  figure: () => Figure,
): Promise<void> {
  await complete(store);
  keep(store, await figurePng(figure()), fileName(title, "png"));
}

export async function saveSvg<State extends WidgetState>(
  store: WidgetStore<State>,
  title: string,
  figure: () => Figure,
): Promise<void> {
  await complete(store);
  keep(store, new Blob([figure().svg], { type: "image/svg+xml" }), fileName(title, "svg"));
}

/** Python writes the page, as it has everything; without a kernel we write what is here. */
export async function saveHtml<State extends WidgetState>(
  store: WidgetStore<State>,
  untitled: string,
  images: "this" | "all" = "this",
): Promise<void> {
  await complete(store);
  const title = store.state.title.value || untitled;
  const fromPython = store.connection.value === "live" ? await askPython(store, images) : null;
  const page = fromPython ?? { name: fileName(title, "html"), content: ownPage(store, title, images) };
  keep(store, new Blob([page.content], { type: "text/html" }), page.name);
}

/** What a Save button does: trouble is said in the widget. */
export function guarded<State extends WidgetState>(
  store: WidgetStore<State>,
  work: () => Promise<void>,
): () => void {
  return () => {
    store.trouble.value = "";
    // In a promise of its own: what is thrown at once is caught as well.
    Promise.resolve()
      .then(work)
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        store.saving.value = "";
        store.trouble.value = `The file could not be written: ${reason}`;
      });
  };
}

function keep<State extends WidgetState>(store: WidgetStore<State>, file: Blob, name: string): void {
  download(file, name);
  store.saving.value = `saved ${name}, ${formatBytes(file.size)}`;
}

/** Resolves when nothing is being computed. */
function complete<State extends WidgetState>(store: WidgetStore<State>): Promise<void> {
  if (!store.busy.peek()) return Promise.resolve();
  store.saving.value = "saving when it is complete; Stop saves what there is";
  return new Promise((resolve) => {
    const stop = effect(() => {
      if (store.busy.value) return;
      // After this run: an effect cannot end itself while it begins.
      queueMicrotask(() => stop());
      resolve();
    });
  });
}

function askPython<State extends WidgetState>(
  store: WidgetStore<State>,
  images: "this" | "all",
): Promise<{ name: string; content: BlobPart } | null> {
  store.committer.flush();
  const id = Date.now();
  store.saving.value = images === "all" ? "saving all images" : "saving";
  return new Promise((resolve, reject) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(() => (store.busy.peek() ? wait() : giveUp()), patience);
    };
    const done = () => {
      clearTimeout(timer);
      store.onExport = null;
    };
    const giveUp = () => {
      done();
      resolve(null);
    };
    wait();
    store.onExport = (message, bytes) => {
      if (message.id !== id) return;
      done();
      if (message.error || !bytes) reject(new Error(message.error || "Python sent no page"));
      else resolve({ name: message.name || fileName(store.state.title.value, "html"), content: bytes });
    };
    store.host.send({ type: "export", id, format: "html", images });
  });
}

function ownPage<State extends WidgetState>(
  store: WidgetStore<State>,
  title: string,
  images: "this" | "all",
): string {
  const bundle = store.host.get<unknown>("_esm");
  const css = store.host.get<unknown>("_css");
  const open = document.getElementById("bundle")?.textContent; // we are a saved page ourselves
  const script =
    typeof bundle === "string"
      ? bundle
      : open
        ? new TextDecoder().decode(Uint8Array.from(atob(open), (c) => c.charCodeAt(0)))
        : null;
  if (script === null)
    throw new Error("no kernel is connected, and this page does not hold the widget's code");
  const style =
    typeof css === "string"
      ? css
      : [...document.querySelectorAll("style")].map((s) => s.textContent).join("\n");
  return standalonePage(title, script, style, ownContent(store, images));
}

/** What this browser has received, in the form a stand-in model answers with. */
export function ownContent<State extends WidgetState>(
  store: WidgetStore<State>,
  images: "this" | "all" = "this",
): StandInContent {
  const state: Record<string, unknown> = {};
  for (const name of Object.keys(store.initial) as (keyof State & string)[])
    state[name] = store.state[name].value;
  if ("snapshot" in state) state.snapshot = null;
  const image = "image" in state && images === "this" ? (state.image as number) : "all";
  const messages = [...store.recorded(images), ...store.album.recorded(image)];
  return { state, messages, saved: store.saved ?? { date: new Date().toISOString().slice(0, 10) } };
}
