/**
 * A saved page in a frame of a notebook: the frame is as tall as the page, and the page as dark as the notebook. The frame
 * is a stranger to the page around it (a sandbox), so that the two can only tell each other.
 *
 *   frame -> page around it   { xaiwidgets: "height", height }
 *   page around it -> frame   { xaiwidgets: "host", dark }; `dark` is null where the host says nothing
 */
import { darkHost, watchHost } from "./host-theme.ts";

const mostHeight = 20_000; // px: whatever a page says, a notebook stays a notebook
const windowHeight = 860; // px that a page in a frame takes the window to be tall

/** In the page around it, once however many frames there are: see frame-host.ts. */
export function hostFrames(): void {
  const tell = (frame: HTMLIFrameElement) =>
    frame.contentWindow?.postMessage({ xaiwidgets: "host", dark: darkHost() }, "*");
  const frames = () => [...document.querySelectorAll<HTMLIFrameElement>("iframe.xaiwidgets-page")];
  addEventListener("message", ({ data, source }) => {
    if (data?.xaiwidgets !== "height") return;
    for (const frame of frames()) {
      if (frame.contentWindow !== source) continue;
      if (Number.isFinite(data.height))
        frame.style.height = `${Math.min(Math.max(data.height, 0), mostHeight)}px`;
      tell(frame);
    }
  });
  watchHost(() => frames().forEach(tell));
  // A page that was there first has told its height to nobody.
  frames().forEach(tell);
}

/** In the frame. Where the page is no frame it does nothing. */
export function liveInFrame(): void {
  if (window.parent === window) return;
  document.body.dataset.xwFramed = "";
  // The window is the frame, and as tall as its content: a part of its height would grow without end.
  for (const style of document.querySelectorAll("style"))
    style.textContent = (style.textContent ?? "").replace(
      /(\d+(?:\.\d+)?)vh\b/g,
      (_, share: string) => `${(Number(share) * windowHeight) / 100}px`,
    );
  const tell = () =>
    window.parent.postMessage(
      { xaiwidgets: "height", height: Math.ceil(document.body.getBoundingClientRect().height) },
      "*",
    );
  new ResizeObserver(tell).observe(document.body);
  let told: unknown;
  addEventListener("message", ({ data, source }) => {
    if (source !== window.parent || data?.xaiwidgets !== "host") return;
    if (told === data.dark) return;
    told = data.dark;
    document.body.dataset.xwFramed = data.dark === null ? "" : data.dark ? "dark" : "light";
    tell();
  });
}
