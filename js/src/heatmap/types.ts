/** What Python and the browser tell each other: the synced state, and the messages. */
import type { ColorKind } from "../shared/data/colormaps.ts";
import type { MapHeader, PictureHeader } from "../shared/data/picture.ts";
import type { Help, WidgetState } from "../shared/types.ts";

/** The synced traits; a test holds these keys equal to those of the Python class. */
export interface HeatmapState extends WidgetState {
  // What the person sees; written from both sides.
  show: string;
  opacity: number;
  threshold: number;
  filter_mode: "hide" | "fade";
  colormap: string;
  clip: number;
  /** Of several maps, those counted alike together; each its own; all images; a range. */
  scale: "image" | "own" | "shared" | "fixed";
  fixed_range: [number, number] | null;
  zoom: [number, number, number];
  method: string;
  target: number | null;
  against: number | null;
  parameters: Record<string, Parameters>;
  /** Share of the map's range: masks end where standard errors are no larger. */
  enough: number;
  selection: { x: number; y: number } | null;
  /** Whether what the model finds (regions, boxes) is drawn. */
  found: boolean;
  /** Targets that are shown beside each other; none: those that have a name. */
  beside: number[];
  beside_methods: string[];
  beside_images: number[];
  /** The places of two of those beside each other: one more shows the first minus the second. */
  difference: [number, number] | null;
  /** The layer whose relevance is shown, by name; null for the pixels. */
  depth: string | null;
  /** What the colours of layers span: each its own values, or relevance for equal areas, as at the pixels. */
  depth_scale: "layer" | "total";
  // What Python says; the browser only reads these.
  methods: Method[];
  targets: NamedTarget[];
  /** Targets that were taken off the list: no list of classes offers them. */
  forgotten: number[];
  snapshot: unknown;
}

/** Used where a host does not have the trait (an older kernel, a saved page). */
export const initialState: HeatmapState = {
  show: "importance",
  opacity: 0.8,
  threshold: 1,
  filter_mode: "hide",
  colormap: "viridis",
  clip: 100,
  scale: "image",
  fixed_range: null,
  zoom: [1, 0.5, 0.5],
  image: 0,
  method: "",
  target: null,
  against: null,
  parameters: {},
  enough: 0.03,
  selection: null,
  found: true,
  beside: [],
  beside_methods: [],
  beside_images: [],
  difference: null,
  depth: null,
  depth_scale: "layer",
  theme: "auto",
  picture: "grey",
  overlay: "colours",
  model_name: "",
  images: 1,
  methods: [],
  class_names: [],
  targets: [],
  forgotten: [],
  status: { state: "idle" },
  title: "",
  snapshot: null,
};

/** `show` for all views of one method beside each other, and for one picture a method, a target, an image, a model. */
export const sideBySide = "side_by_side";
export const compare = "compare";
export const besideTargets = "targets";
export const besideImages = "images";
export const besideModels = "models";
/** `show` for all images. */
export const gallery = "gallery";

/** Left, top, right, bottom in pixels of the picture; right and bottom lie beyond. */
export type Box = [left: number, top: number, right: number, bottom: number];

/** Where a target is; nothing for nowhere in particular. */
export interface Place {
  box?: Box;
  point?: [x: number, y: number];
}

/** A target beside the classes, which has an index after theirs. */
export interface NamedTarget {
  index: number;
  name: string;
  /** By the number of the image; empty where it can be asked of every image. */
  places: Record<string, Place>;
}

/** A box that a detector finds. */
export interface FoundBox {
  number: number;
  box: Box;
  /** Its class. */
  label: number;
  /** Its probability. */
  share: number;
}

/** What can be pointed at in an image. The buffer: the class at each place, 255 for none, where there are regions. */
export interface PlacesMessage {
  type: "places";
  image: number;
  drawn: boolean;
  boxes: FoundBox[] | null;
  regions: { shape: [height: number, width: number]; shares: Record<string, number> } | null;
}

export type ParameterValue = number | string | boolean;
export type Parameters = Record<string, ParameterValue>;

export interface View {
  name: string;
  label: string;
  help?: Help;
  /** What a large and a small value says of a pixel; {class} stands for the class explained. */
  high?: string;
  low?: string;
  /** Of an array that somebody gave: what its signs speak for is not known. */
  given?: boolean;
  /** Name of the map it draws. */
  map: string;
  kind: ColorKind;
  unit: string;
  /** Whether the uncertainty threshold hides pixels of this view. */
  filtered: boolean;
}

export interface Control {
  name: string;
  label: string;
  help?: Help;
  type: "choice" | "float" | "int" | "bool";
  value: ParameterValue;
  options?: (string | { value: string; label: string })[];
  min?: number;
  max?: number;
  step?: number;
  log?: boolean;
}

export interface Method {
  name: string;
  label: string;
  /** What the method itself is called, where `label` is a person's own name for it. */
  method?: string;
  help?: Help;
  views: View[];
  /** The map whose quantiles the threshold speaks of. */
  filter: string | null;
  /** The map of standard errors. */
  error: string | null;
  controls: Control[];
  streaming: boolean;
  /** Whether its result depends on the class asked about. */
  classes: boolean;
  /** Whether it can hold the class against another one. */
  contrast?: boolean;
  /** Of several models, which it explains. */
  model?: number;
  model_name?: string;
  /** Whether it can tell the relevance at every layer, on its way to the pixels. */
  layers?: boolean;
}

/** What a result depends on; an answer repeats it word for word. `parameters` holds what differs from the defaults. */
export interface Question {
  image: number;
  method: string;
  target: number | null;
  against: number | null;
  parameters: Parameters;
}

export interface PictureMessage extends PictureHeader {
  type: "picture";
  image: number;
}

export interface MapsMessage extends Question {
  type: "maps";
  request?: number | null;
  maps: MapHeader[];
  shared_range?: Record<string, [number, number]>;
  /** What the result has to say beside its picture. */
  notes?: Note[];
  /** What the score explained is counted in. */
  unit?: string;
  /** Of a finished result: what it says that it explains. */
  explains?: string;
  /** Why there are no maps, where there cannot be any. */
  refused?: string;
  final?: boolean;
}

/** Relevance at every layer from the output down; a buffer each but for the pixels, whose map is the ordinary one. */
export interface LayersMessage extends Question {
  type: "layers";
  layers: MapHeader[];
  /** [height, width] of the picture. */
  pixels: [number, number];
  /** Of each layer, the pixels among them: whether everything passes there. */
  whole: boolean[];
  /** What share of the relevance is at each, and in the picture of each. */
  shares: number[] | null;
  pictured: number[] | null;
}

export type Note = [label: string, text: string];

/** What a saved notebook keeps of a prediction. */
export interface BriefPrediction {
  image: number;
  kind: "probability" | "value";
  label: number | null;
  classes: number[];
  shares: number[];
}
