/** Colours: the map, and what value range it spans. */
import { NumberInput } from "../../shared/controls/number.tsx";
import { type Choice, Segmented } from "../../shared/controls/segmented.tsx";
import { Select } from "../../shared/controls/select.tsx";
import { Slider } from "../../shared/controls/slider.tsx";
import { colormaps, fittingColormap } from "../../shared/data/colormaps.ts";
import { help } from "../../shared/data/words.ts";
import { colorRange } from "../state/maps.ts";
import type { HeatmapState, Method } from "../types.ts";
import { useView } from "./context.ts";
import { panesOf, showsMap } from "./panes.ts";

type Scale = Choice<HeatmapState["scale"]>;
const imageScale: Scale = { value: "image", label: "Image", title: "Colours span the values of this image" };
const sharedScale: Scale = {
  value: "shared",
  label: "Shared",
  title: "The same colours stand for the same values on all images",
};
const ownScale: Scale = { value: "own", label: "Each", title: "Each picture on a scale of its own" };
const oneScale: Scale = {
  value: "image",
  label: "One",
  title: "Pictures that are counted alike share a scale: equal colours are equal numbers",
};
const fixedScale: Scale = { value: "fixed", label: "Fixed", title: "Colours span the range that you type" };

export function Colours({ method }: { method: Method }) {
  const { store } = useView();
  const { colormap, scale, clip, fixed_range, images } = store.state;
  const kinds = new Set(
    panesOf(store)
      .filter(showsMap)
      .map(({ view }) => view.kind),
  );
  const choices = colormaps
    .filter(({ kind }) => kinds.has(kind))
    .map(({ name, label }) => ({ value: name, label }));
  const shownMap = kinds.has("sequential")
    ? fittingColormap(colormap.value, kinds.size > 1 ? kindOf(colormap.value) : "sequential")
    : fittingColormap(colormap.value, "diverging");
  const first = store.comparison.several.value ? [oneScale, ownScale] : [imageScale];
  const scales = [...first, ...(images.value > 1 ? [sharedScale] : []), fixedScale];

  const chooseScale = (value: HeatmapState["scale"]) => {
    // A fixed range starts from what is on screen, so that nothing jumps.
    if (value === "fixed" && !fixed_range.value) store.set("fixed_range", presentRange() ?? [0, 1]);
    store.set("scale", value);
  };
  const presentRange = (): [number, number] | null => {
    const view = method.views[0];
    const { set } = store.result({ method });
    const map = view && set?.maps.get(view.map);
    if (!view || !set || !map) return null;
    const settings = { scale: scale.value, fixed_range: null, clip: clip.value };
    return colorRange(view, method, set, map, settings).map((v) => Number(v.toPrecision(3))) as [
      number,
      number,
    ];
  };
  const setEnd = (end: 0 | 1, value: number) => {
    const range: [number, number] = [...(fixed_range.value ?? presentRange() ?? [0, 1])];
    range[end] = value;
    if (range[0] < range[1]) store.set("fixed_range", range);
  };

  return (
    <section class="xw-colours" aria-label="Colours">
      <Select
        label="Colours"
        help={help.colours}
        value={shownMap}
        choices={choices}
        onChange={(name) => store.set("colormap", name)}
      />
      <Segmented
        inline
        label="Scale"
        help={help.scale}
        value={scale.value === "own" && first.length < 2 ? "image" : scale.value}
        choices={scales}
        onChange={chooseScale}
      />
      {(scale.value === "image" || scale.value === "own") && (
        <Slider
          label="Clip"
          help={help.clip}
          value={clip.value}
          min={50}
          max={100}
          step={0.5}
          text={clip.value >= 100 ? "none" : `${clip.value.toFixed(1)} %`}
          onInput={(value) => store.set("clip", value)}
        />
      )}
      {scale.value === "fixed" && (
        <div class="xw-range">
          <NumberInput
            label="from"
            value={fixed_range.value?.[0] ?? 0}
            onChange={(value) => setEnd(0, value)}
          />
          <NumberInput
            label="to"
            value={fixed_range.value?.[1] ?? 1}
            onChange={(value) => setEnd(1, value)}
          />
        </div>
      )}
    </section>
  );
}

function kindOf(name: string): "sequential" | "diverging" {
  return colormaps.find((map) => map.name === name)?.kind ?? "sequential";
}
