/** Says the pixel under the pointer, or the pinned one, to screen readers. */
import { computed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { Announced } from "../../shared/views/announcer.tsx";
import { useView } from "./context.ts";
import { contentOf, panesOf } from "./panes.ts";
import { readPixel } from "./reading.ts";

export function Announcer() {
  const { store, hover } = useView();
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

  return <Announced sentence={sentence} />;
}
