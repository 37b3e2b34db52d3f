/** Says the pixel under the pointer, or the pinned one, to screen readers: politely, and not too often. */
import { computed } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { useView } from "./context.ts";
import { contentOf, panesOf } from "./panes.ts";
import { readPixel } from "./reading.ts";

const pause = 400; // ms of rest before something is said

export function Announcer() {
  const { store, hover, spoken } = useView();
  const sentence = useMemo(
    () =>
      computed(() => {
        const at = hover.value ?? store.state.selection.value;
        if (!at) return "";
        const panes = panesOf(store);
        const pane = panes.find(({ key }) => key === hover.value?.pane) ?? panes[0];
        const content = pane && contentOf(store, pane);
        const reading = content && readPixel(pane, content, at.x, at.y);
        if (!reading) return "";
        return [`${pane.label} ${reading.value}`, reading.place, reading.sureness].filter(Boolean).join(", ");
      }),
    [store, hover],
  ).value;

  useEffect(() => {
    const timer = setTimeout(() => {
      spoken.value = sentence;
    }, pause);
    return () => clearTimeout(timer);
  }, [sentence, spoken]);

  return (
    <p class="xw-hidden" aria-live="polite">
      {spoken.value}
    </p>
  );
}
