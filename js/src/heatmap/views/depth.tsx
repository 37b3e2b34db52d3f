/** From the output to the pixels: a slider over the layers, play, and what is where. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { PlayButton } from "../../shared/controls/play.tsx";
import { Segmented } from "../../shared/controls/segmented.tsx";
import { Slider } from "../../shared/controls/slider.tsx";
import { clamp } from "../../shared/data/numbers.ts";
import { help } from "../../shared/data/words.ts";
import type { HeatmapStore } from "../state/store.ts";
import type { HeatmapState, Method } from "../types.ts";
import { useView } from "./context.ts";
import { layerName, layerText, placeText } from "./layer.ts";
import type { MapPane, PaneContent } from "./panes.ts";

const whole = 12000; // ms from the output to the pixels
const pause = { least: 120, most: 600, still: 1200 }; // ms a layer; "still" for those who want little movement

const scales: { value: HeatmapState["depth_scale"]; label: string; title: string }[] = [
  { value: "layer", label: "Own scale", title: "Colours span the values of the layer on screen" },
  {
    value: "total",
    label: "One scale",
    title: "At every layer equal colours are equal relevance for equal areas, on the scale of the pixels",
  },
];

function wantsLittleMovement(): boolean {
  return window.matchMedia("(prefers-reduced-motion: reduce)").matches;
}

export function DepthControl() {
  const { store } = useView();
  const { depth } = store;
  const layers = depth.layers.value;
  const position = depth.position.value;
  const playing = useSignal(false);
  const failed = store.state.status.value.state === "error";
  const runs = playing.value && layers !== null;
  const last = layers ? layers.length - 1 : 1;
  const layer = layers?.[position];
  const absent = layers === null && !store.canCompute.value;

  useEffect(() => {
    if (failed) playing.value = false;
  }, [failed, playing]);

  useEffect(() => {
    const way = depth.layers.peek();
    if (!runs || !way) return;
    const end = way.length - 1;
    if (depth.position.peek() >= end) depth.go(0);
    const step = wantsLittleMovement() ? pause.still : clamp(whole / end, pause.least, pause.most);
    // Python learns of the layer when the playing ends.
    store.committer.begin();
    const timer = setInterval(() => {
      depth.go(Math.min(end, depth.position.peek() + 1));
      if (depth.position.peek() >= end) playing.value = false;
    }, step);
    return () => {
      clearInterval(timer);
      store.committer.end();
    };
  }, [runs, depth, store, playing]);

  const toggle = () => {
    depth.open();
    playing.value = !playing.peek();
  };
  const words = layer ? placeText(layer) : waitingText(store, absent);
  return (
    <section class="xw-depth" aria-label="Depth">
      <div class="xw-depth-way" onPointerDownCapture={() => depth.open()}>
        <PlayButton
          playing={playing.value}
          said="Play the way from the output to the pixels"
          title={playing.value ? "Pause" : "Watch relevance flow from the output to the pixels"}
          disabled={absent}
          onToggle={toggle}
        />
        <Slider
          label="Depth"
          help={help.depth}
          value={layers ? position : 1}
          min={0}
          max={last}
          step={1}
          text={layer ? layerName(layer) : "pixels"}
          said={layer ? `${layerName(layer)}, ${placeText(layer)}` : "pixels"}
          disabled={absent}
          onInput={(value) => {
            playing.value = false;
            depth.open();
            depth.go(value);
          }}
        />
      </div>
      <p class="xw-depth-place" title={layer ? `${layerName(layer)}: ${words}` : words}>
        {words}
      </p>
      <Segmented
        inline
        label="Layers"
        help={help.depth_scale}
        value={store.state.depth_scale.value}
        choices={scales}
        onChange={(scale) => store.set("depth_scale", scale)}
      />
    </section>
  );
}

/** Where several pictures stand beside each other: why there is no way down. */
export function DepthAway() {
  const { store } = useView();
  if (!store.depth.away.value) return null;
  return (
    <section class="xw-depth" aria-label="Depth">
      <p class="xw-depth-away">
        Layers are shown of one picture at a time: what is compared is at the pixels.
      </p>
    </section>
  );
}

function waitingText(store: HeatmapStore, absent: boolean): string {
  if (absent) return "the layers were not saved here";
  return store.depth.waiting.value ? "computing every layer…" : "press play, or drag left to the output";
}

/** Whether a pane shows a layer where one is chosen. */
export function hasDepth(store: HeatmapStore, method: Method): boolean {
  return method.layers === true && store.depth.applies.value;
}

/** On the picture: the layer that is drawn, or that a chosen one is not there. */
export function LayerChip({
  pane,
  content,
}: {
  pane: MapPane;
  content: { readonly value: PaneContent | null };
}) {
  const { store } = useView();
  const name = store.state.depth.value;
  if (name === null || !content.value || !hasDepth(store, pane.method)) return null;
  const { layer } = content.value;
  const missing = store.canCompute.value ? `computing ${name}…` : `${name} was not saved`;
  const text = layer ? layerText(layer) : `pixels · ${missing}`;
  return (
    <p class="xw-layer-chip" title={text}>
      {text}
    </p>
  );
}
