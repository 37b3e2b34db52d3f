// A saved page in a frame says how tall it is; only frames of this page are listened to.
addEventListener("message", (event) => {
  const height = event.data?.xaiwidgets;
  if (!Number.isFinite(height)) return;
  for (const frame of document.querySelectorAll("iframe.xw-page")) {
    if (frame.contentWindow === event.source) frame.style.height = `${Math.ceil(height)}px`;
  }
});
