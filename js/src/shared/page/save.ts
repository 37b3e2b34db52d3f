/** Files that a person saves from a widget: the picture as PNG or SVG, the widget itself as a page. */
import { type Figure, figurePng } from "../drawing/svg.ts";
import type { StandInContent } from "../state/standin.ts";
import type { WidgetStore } from "../state/store.ts";
import type { WidgetState } from "../types.ts";
import { download, fileName } from "./download.ts";
import { standalonePage } from "./standalone.ts";

const patience = 15_000; // ms that Python may take to write the page

export async function savePng(title: string, figure: Figure): Promise<void> {
  download(await figurePng(figure), fileName(title, "png"));
}

export async function saveSvg(title: string, { svg }: Figure): Promise<void> {
  download(new Blob([svg], { type: "image/svg+xml" }), fileName(title, "svg"));
}

/** Python writes the page, as it has everything; without a kernel we write what is here. */
export async function saveHtml<State extends WidgetState>(
  store: WidgetStore<State>,
  untitled: string,
): Promise<void> {
  const title = store.state.title.value;
  const fromPython = store.connection.value === "live" ? await askPython(store) : null;
  const page = fromPython ?? { name: fileName(title, "html"), content: ownPage(store, title || untitled) };
  download(new Blob([page.content], { type: "text/html" }), page.name);
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
        store.trouble.value = `The file could not be written: ${reason}`;
      });
  };
}

function askPython<State extends WidgetState>(
  store: WidgetStore<State>,
): Promise<{ name: string; content: BlobPart } | null> {
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

function ownPage<State extends WidgetState>(store: WidgetStore<State>, title: string): string {
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
  return standalonePage(title, script, style, ownContent(store));
}

/** Everything this browser has received, in the form a stand-in model answers with. */
export function ownContent<State extends WidgetState>(store: WidgetStore<State>): StandInContent {
  const state: Record<string, unknown> = {};
  for (const name of Object.keys(store.initial) as (keyof State & string)[])
    state[name] = store.state[name].value;
  if ("snapshot" in state) state.snapshot = null;
  return { state, messages: store.recorded() };
}
