/** What Python and the browser tell each other: the synced state, what is asked, and what is answered. */
import type { MapHeader } from "../shared/data/picture.ts";
import type { About, WidgetState } from "../shared/types.ts";

export type Order = "relevance" | "activation";
export type Pool = "sum" | "max";
/** Left, top, right, bottom in pixels; right and bottom are the first pixels outside. */
export type Box = [number, number, number, number];
/** A concept of a layer. */
export type Step = [layer: string, concept: number];

/** The synced traits; a test holds these keys equal to those of the Python class. */
export interface ConceptsState extends WidgetState {
  // What the person sees; written from both sides.
  target: number | null;
  against: number | null;
  layer: string;
  /** null: the strongest of the layer. */
  concept: number | null;
  order: Order;
  box: Box | null;
  /** The concepts walked through on the way down to this one, in the graph. */
  trail: Step[];
  /** Whether references are those of most relevance (RelMax) or of highest activation (ActMax). */
  reference_by: Order;
  pool: Pool;
  /** Only references of this class; null: of any. */
  reference_class: number | null;
  crop: boolean;
  look: "fade" | "heatmap" | "plain";
  opacity: number;
  colormap: string;
  // What Python says; the browser only reads these.
  about: About;
  layers: LayerInfo[];
  labels: Label[];
  index_info: IndexInfo | null;
  snapshot: unknown;
}

export const initialState: ConceptsState = {
  image: 0,
  target: null,
  against: null,
  layer: "",
  concept: null,
  order: "relevance",
  box: null,
  trail: [],
  reference_by: "relevance",
  pool: "sum",
  reference_class: null,
  crop: true,
  look: "fade",
  opacity: 0.8,
  colormap: "red_blue",
  theme: "auto",
  picture: "grey",
  overlay: "colours",
  model_name: "",
  images: 1,
  class_names: [],
  about: { label: "CRP" },
  layers: [],
  labels: [],
  index_info: null,
  status: { state: "idle" },
  title: "",
  snapshot: null,
};

export interface LayerInfo {
  name: string;
  units: number;
  /** What a concept is here: "channel", "feature" or "head". */
  kind: string;
  /** Whether the reference index covers the layer. */
  indexed: boolean;
}

/** The name and note a person gave to a concept. */
export interface Label {
  layer: string;
  concept: number;
  name: string;
  note: string;
}

export interface IndexInfo {
  samples: number;
  /** Whether Python can show reference images: it has the data set, or kept the images. */
  pictures: boolean;
}

/** What relevance depends on: an image, and a class, perhaps against another. */
export interface Question {
  image: number;
  target: number | null;
  against: number | null;
}

/** One thing that is asked of Python; its answer repeats it word for word. */
export type Want =
  | ({ kind: "focus" } & Question)
  | ({ kind: "ranking"; layer: string } & Question)
  | ({ kind: "heatmap"; layer: string; concept: number } & Question)
  | ({ kind: "region"; layer: string; box: Box } & Question)
  | ({ kind: "graph"; layer: string; concept: number } & Question)
  | { kind: "references"; layer: string; concept: number; by: Order; pool: Pool; of: number | null }
  | ({ kind: "tiles"; concepts: Step[]; by: Order; pool: Pool } & Question);

export type Kind = Want["kind"];
export type WantOf<K extends Kind> = Extract<Want, { kind: K }>;

interface Answer<K extends Kind> {
  type: K;
  want: WantOf<K>;
  /** The number of the request it answers. */
  request: number | null;
}

/** Buffers: the picture, the class' heatmap. */
export interface FocusMessage extends Answer<"focus"> {
  /** [height, width, channels] */
  shape: [number, number, number];
  map: MapHeader;
  /** The class explained, or another target in words, with its score, and its probability where it has one. */
  target: number | string;
  score: number;
  probability: number | null;
  /** What the heatmap must not be taken for. */
  cautions?: string[];
}

/** Buffers: relevance and activation of each unit, float32. */
export interface RankingMessage extends Answer<"ranking"> {
  units: number;
}

/** Buffer: the heatmap. */
export interface HeatmapMessage extends Answer<"heatmap"> {
  map: MapHeader;
}

/** Buffer: each unit's relevance inside the box, float32. */
export interface RegionMessage extends Answer<"region"> {
  units: number;
}

export interface GraphNode {
  layer: string;
  concept: number;
  relevance: number;
  /** Of all relevance in its layer, signed. */
  share: number;
}

export interface GraphEdge {
  /** Indexes into the nodes: relevance flows down from the source to the target. */
  source: number;
  target: number;
  relevance: number;
}

export interface GraphMessage extends Answer<"graph"> {
  nodes: GraphNode[];
  edges: GraphEdge[];
}

export interface ReferenceHeader {
  /** Its place in the order of all references, from 0. */
  place: number;
  sample: number;
  score: number;
  /** The class explained on it, null where no class is. */
  target: number | null;
  /** [height, width, channels], and the part worth seeing; without them there is no picture. */
  shape?: [number, number, number];
  map?: MapHeader;
  box?: Box;
}

export interface ClassUse {
  target: number;
  score: number;
  count: number;
}

/** Buffers: picture and heatmap of each item that has a shape. Comes in parts, each with new items. */
export interface ReferencesMessage extends Answer<"references"> {
  total: number;
  items: ReferenceHeader[];
  classes: ClassUse[];
}

/** Buffer: the tiles of `places` that are there, one after the other, uint8 (side, side, 3). Comes in parts. */
export interface TilesMessage extends Answer<"tiles"> {
  side: number;
  /** Layer, concept, slot, and whether there is a picture. */
  places: [layer: string, concept: number, slot: number, there: boolean][];
}
