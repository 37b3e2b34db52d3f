/**
 * Light or dark, and whether the host's own colours may be used.
 *
 * JupyterLab says which it is on the body; other hosts say nothing, so the system's preference counts; and a
 * person can always choose.
 */
import { effect, type ReadonlySignal, signal } from "@preact/signals";
import type { ThemeChoice } from "../types.ts";

function hostTheme(): { dark: boolean; jupyter: boolean } {
  const flag = document.body.dataset.jpThemeLight;
  if (flag !== undefined) return { dark: flag === "false", jupyter: true };
  return { dark: matchMedia("(prefers-color-scheme: dark)").matches, jupyter: false };
}

/** Keeps data-xw-theme (light | dark) and data-xw-host (jupyter | none) on the element up to date. */
export function followTheme(element: HTMLElement, choice: ReadonlySignal<ThemeChoice>): () => void {
  const host = signal(hostTheme());
  const update = () => {
    host.value = hostTheme();
  };
  const observer = new MutationObserver(update);
  observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  const query = matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", update);
  const stop = effect(() => {
    const { dark, jupyter } = host.value;
    const wanted = choice.value === "auto" ? dark : choice.value === "dark";
    element.dataset.xwTheme = wanted ? "dark" : "light";
    // The host's variables hold only the host's polarity; the other one needs our own colours.
    element.dataset.xwHost = jupyter && wanted === dark ? "jupyter" : "none";
  });
  return () => {
    stop();
    observer.disconnect();
    query.removeEventListener("change", update);
  };
}
