/** The widget on the whole screen; not offered where the host forbids it. */
import { useLayoutEffect, useState } from "preact/hooks";

export function FullScreenButton() {
  const [full, setFull] = useState<Element | null>(null);
  useLayoutEffect(() => {
    const changed = () => setFull(document.fullscreenElement);
    document.addEventListener("fullscreenchange", changed);
    return () => document.removeEventListener("fullscreenchange", changed);
  }, []);
  if (!document.fullscreenEnabled) return null;
  const label = full ? "Leave full screen" : "Full screen";
  return (
    <button
      type="button"
      class="xw-button xw-icon"
      aria-label={label}
      title={label}
      onClick={(event) => {
        const root = event.currentTarget.closest(".xw")!;
        // A host may still say no; there is nothing to do about it then.
        if (document.fullscreenElement) document.exitFullscreen().catch(() => undefined);
        else root.requestFullscreen().catch(() => undefined);
      }}
    >
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path
          d={full ? "M6 2v4H2M10 2v4h4M6 14v-4H2M10 14v-4h4" : "M2 6V2h4M14 6V2h-4M2 10v4h4M14 10v4h-4"}
          fill="none"
          stroke="currentColor"
          stroke-width="1.5"
        />
      </svg>
    </button>
  );
}
