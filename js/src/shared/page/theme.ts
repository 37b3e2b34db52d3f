/**
 * Light or dark, and whether the host's own colours may be used. Where a host says nothing, the system's preference counts;
 * and a person can always choose.
 */
import { effect, type ReadonlySignal, signal } from "@preact/signals";
import type { ThemeChoice } from "../types.ts";
import { darkHost, watchHost } from "./host-theme.ts";

function hostTheme(): { dark: boolean; jupyter: boolean } {
  const dark = darkHost() ?? matchMedia("(prefers-color-scheme: dark)").matches;
  return { dark, jupyter: document.body.dataset.jpThemeLight !== undefined };
}

/** Keeps data-xw-theme (light | dark) and data-xw-host (jupyter | none) on the element up to date. */
export function followTheme(element: HTMLElement, choice: ReadonlySignal<ThemeChoice>): () => void {
  const host = signal(hostTheme());
  const unwatch = watchHost(() => {
    host.value = hostTheme();
  });
  const stop = effect(() => {
    const { dark, jupyter } = host.value;
    const wanted = choice.value === "auto" ? dark : choice.value === "dark";
    element.dataset.xwTheme = wanted ? "dark" : "light";
    // The host's variables hold only the host's polarity; the other one needs our own colours.
    element.dataset.xwHost = jupyter && wanted === dark ? "jupyter" : "none";
  });
  return () => {
    stop();
    unwatch();
  };
}
