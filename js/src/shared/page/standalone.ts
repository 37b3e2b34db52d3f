/** One self-contained page that works offline: the bundle, its style and what the kernel last said. */
import { toBase64 } from "../data/wire.ts";
import type { StandInContent } from "../state/standin.ts";
import page from "./standalone.html";

/** Fills in standalone.html; Python does the same with the same file. */
export function standalonePage(title: string, bundle: string, css: string, content: StandInContent): string {
  const parts: Record<string, string> = {
    title: title.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]!),
    css: css.replaceAll("</", "<\\/"),
    // "<" is escaped so that no text in the content can end the script element it stands in.
    content: JSON.stringify(content).replaceAll("<", "\\u003c"),
    bundle: toBase64(new TextEncoder().encode(bundle)),
  };
  // One pass: a title that says {{css}} stays what it is.
  return page.replace(/\{\{(\w+)\}\}/g, (_, name: string) => parts[name] ?? "");
}
