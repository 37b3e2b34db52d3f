// Saved pages in frames say how tall they are, and are told whether this page is light or dark; only frames of this page are listened to.
const frames = () => [...document.querySelectorAll("iframe.xw-page")];
const tell = (frame) => frame.contentWindow?.postMessage({ dark: document.documentElement.dataset.theme === "dark" }, "*");

addEventListener("message", ({ data, source }) => {
  const height = data?.xaiwidgets;
  const frame = frames().find(({ contentWindow }) => contentWindow === source);
  if (!frame || !Number.isFinite(height)) return;
  // The first word of a frame: it listens now.
  if (!frame.style.height) tell(frame);
  frame.style.height = `${Math.ceil(height)}px`;
});

new MutationObserver(() => frames().forEach(tell)).observe(document.documentElement, { attributeFilter: ["data-theme"] });
