/** How a heatmap and its picture lie over each other. */
import type { Signal } from "@preact/signals";
import { help } from "../data/words.ts";
import type { Beneath, OverlayStyle } from "../types.ts";
import { Segmented } from "./segmented.tsx";

const pictures = [
  { value: "grey", label: "Grey" },
  { value: "colour", label: "Colour" },
  { value: "none", label: "None" },
];
const overlays = [
  { value: "colours", label: "Colours" },
  { value: "outlines", label: "Outlines" },
];

/** What a store of any widget offers here. */
interface Appearance {
  state: { picture: Signal<Beneath>; overlay: Signal<OverlayStyle> };
  set(name: "picture", value: Beneath): void;
  set(name: "overlay", value: OverlayStyle): void;
}

export function AppearanceChoice({ store }: { store: Appearance }) {
  const { picture, overlay } = store.state;
  return (
    <>
      <Segmented
        inline
        label="Picture"
        help={help.picture}
        value={picture.value}
        choices={pictures}
        onChange={(value) => store.set("picture", value as Beneath)}
      />
      <Segmented
        inline
        label="Heatmap"
        help={help.overlay}
        value={overlay.value}
        choices={overlays}
        onChange={(value) => store.set("overlay", value as OverlayStyle)}
      />
    </>
  );
}
