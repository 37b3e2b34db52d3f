/**
 * Depth: relevance at every layer, from the output down to the pixels. Python is asked once a question; going up and down
 * is a matter of the browser alone.
 */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { HeatMap } from "../../shared/data/picture.ts";
import { type Bytes, toBase64 } from "../../shared/data/wire.ts";
import type { RecordedMessage } from "../../shared/state/standin.ts";
import type { WidgetStore } from "../../shared/state/store.ts";
import type { HeatmapState, LayersMessage, Method, Question } from "../types.ts";
import type { Ask } from "./comparison.ts";
import { questionKey } from "./maps.ts";

/** A stop on the way down. */
export interface Layer {
  name: string;
  height: number;
  width: number;
  /** On the layer's own grid; null at the pixels, whose map is the ordinary one. */
  map: HeatMap | null;
  /** Of the relevance, how much is here, and how much of that is in the picture; null where there is no account. */
  share: number | null;
  pictured: number | null;
  /** Whether everything passes here; else something runs beside it over a shortcut. */
  whole: boolean;
}

/** The part of the widget's state that decides which layers there are. */
export interface Descending extends WidgetStore<HeatmapState> {
  readonly method: ReadonlySignal<Method | null>;
  readonly comparison: {
    readonly several: ReadonlySignal<boolean>;
    readonly shown: ReadonlySignal<readonly Ask[]>;
  };
  question(ask: Ask): Question;
}

interface Way {
  question: Question;
  layers: readonly Layer[];
  message: RecordedMessage;
}

const most = 16; // questions whose layers are kept

export class Depth {
  private readonly ways = signal<ReadonlyMap<string, Way>>(new Map());
  private readonly asked = signal("");

  constructor(private readonly store: Descending) {}

  /** Whether it is away because several pictures are compared, of which one has layers. */
  readonly away = computed(() => {
    const { several, shown } = this.store.comparison;
    return several.value && shown.value.some(({ method }) => method.layers);
  });

  /** The question on screen, where its method goes down layer by layer and one picture is shown. */
  private readonly question = computed<Question | null>(() => {
    const method = this.store.method.value;
    if (!method?.layers || this.store.comparison.several.value) return null;
    return this.store.question({ method });
  });

  /** Whether there is a way down on screen. */
  readonly applies = computed(() => this.question.value !== null);

  /** The layers from the output to the pixels; null until they were asked for. */
  readonly layers = computed<readonly Layer[] | null>(() => {
    const question = this.question.value;
    return question && (this.ways.value.get(keyOf(question))?.layers ?? null);
  });

  /** Which of the layers is shown: the last, the pixels, unless another is chosen. */
  readonly position = computed(() => {
    const layers = this.layers.value;
    if (!layers) return 0;
    const at = layers.findIndex(({ name }) => name === this.store.state.depth.value);
    return at < 0 ? layers.length - 1 : at;
  });

  /** Whether layers are on their way. */
  readonly waiting = computed(() => {
    const question = this.question.value;
    if (!question || this.layers.value || !this.store.canCompute.value) return false;
    if (this.store.state.status.value.state === "error") return false;
    return this.asked.value === keyOf(question) || this.store.state.depth.value !== null;
  });

  /** Asks for the layers unless they are here, or on their way. */
  open(): void {
    const question = this.question.peek();
    if (!question || this.layers.peek() || !this.store.canCompute.peek()) return;
    const key = keyOf(question);
    if (this.asked.peek() === key && this.waiting.peek()) return;
    this.asked.value = key;
    this.store.committer.flush();
    this.store.host.send({ type: "depth", ...question });
    this.store.expectAnswer();
  }

  go(position: number): void {
    const layers = this.layers.peek();
    const layer = layers?.[position];
    if (layer) this.store.set("depth", layer.map ? layer.name : null);
  }

  /** The layer that is drawn in place of a question's ordinary map; null at the pixels, and where it is not here. */
  at(question: Question): (Layer & { map: HeatMap }) | null {
    const name = this.store.state.depth.value;
    if (name === null || !this.question.value) return null;
    const found = this.ways.value.get(keyOf(question))?.layers.find((layer) => layer.name === name);
    return found?.map ? (found as Layer & { map: HeatMap }) : null;
  }

  receive(message: LayersMessage, buffers: Bytes[]): void {
    const { type: _, layers: headers, pixels, whole, shares, pictured, ...rest } = message;
    const question: Question = { ...rest, parameters: rest.parameters ?? {} };
    const share = (i: number) => ({
      share: shares?.[i] ?? null,
      pictured: pictured?.[i] ?? null,
      whole: whole[i] ?? true,
    });
    const layers: Layer[] = headers.map((header, i) => {
      const map = new HeatMap(header, buffers[i]!);
      return { name: header.name, height: map.height, width: map.width, map, ...share(i) };
    });
    const [height, width] = pixels;
    layers.push({ name: "input", height, width, map: null, ...share(headers.length) });
    const ways = new Map(this.ways.peek());
    const key = keyOf(question);
    ways.delete(key);
    ways.set(key, { question, layers, message: { content: { ...message }, buffers: buffers.map(toBase64) } });
    // A saved page has all that it will ever have.
    if (ways.size > most && this.store.canCompute.peek()) ways.delete(ways.keys().next().value!);
    this.ways.value = ways;
    if (this.asked.peek() === key) this.asked.value = "";
  }

  /** What a page of the images that are held begins with. */
  recorded(held: (image: number) => boolean): RecordedMessage[] {
    return [...this.ways.value.values()].flatMap(({ question, message }) =>
      held(question.image) ? [message] : [],
    );
  }

  dispose(): void {
    this.ways.value = new Map();
  }
}

function keyOf(question: Question): string {
  return questionKey(question, true);
}

const grown = new WeakMap<HeatMap, HeatMap>();

/** A layer's map on the pixels of a picture, made when first shown. */
export function upsampled(map: HeatMap, width: number, height: number): HeatMap {
  const known = grown.get(map);
  if (known?.width === width && known.height === height) return known;
  const values = bilinear(map.values, map.width, map.height, width, height);
  const bytes = new Uint8Array(values.buffer as ArrayBuffer);
  const made = new HeatMap(
    { name: map.name, dtype: "float32", shape: [height, width], range: map.extent },
    bytes,
  );
  grown.set(map, made);
  return made;
}

/**
 * Values of a grid on a finer one, between the middles of its cells: torch's `interpolate(mode="bilinear",
 * align_corners=False)`, as xaiwidgets/widgets/heatmap/depth.py has it.
 */
export function bilinear(
  values: Float32Array,
  fromWidth: number,
  fromHeight: number,
  width: number,
  height: number,
): Float32Array<ArrayBuffer> {
  const columns = between(fromWidth, width);
  const rows = between(fromHeight, height);
  const out = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const [above, below, v] = rows[y]!;
    const [top, bottom] = [above * fromWidth, below * fromWidth];
    for (let x = 0; x < width; x++) {
      const [left, right, u] = columns[x]!;
      const upper = values[top + left]! * (1 - u) + values[top + right]! * u;
      const lower = values[bottom + left]! * (1 - u) + values[bottom + right]! * u;
      out[y * width + x] = upper * (1 - v) + lower * v;
    }
  }
  return out;
}

/** For each of `to` places: the cells before and after it, and how far it is from the first to the second. */
function between(from: number, to: number): [before: number, after: number, share: number][] {
  return Array.from({ length: to }, (_, i) => {
    const at = Math.max(0, ((i + 0.5) * from) / to - 0.5);
    const before = Math.min(from - 1, Math.floor(at));
    return [before, Math.min(from - 1, before + 1), at - before];
  });
}
