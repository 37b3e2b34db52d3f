/** What Python and the browser tell each other: the synced state, and the messages. */
import type { MapHeader, PictureHeader } from "../shared/data/picture.ts";
import type { About, WidgetState } from "../shared/types.ts";

export type Order = "morf" | "lerf" | "both" | "random";
/** An order that a curve can have. */
export type CurveOrder = "morf" | "lerf" | "random";

/** The synced traits; a test holds these keys equal to those of the Python class. */
export interface FlippingState extends WidgetState {
  // What is asked; written from both sides.
  order: Order;
  perturb: string;
  patch: number;
  target: number | null;
  score: "logit" | "probability";
  // What is looked at; written from both sides.
  scope: "image" | "mean";
  method: string;
  step: number;
  hidden: string[];
  sort_by: string;
  descending: boolean;
  selection: Patch | null;
  // What Python says; the browser only reads these.
  about: About;
  methods: string[];
  perturbations: { value: string; label: string }[];
  gae_missing: string;
  snapshot: unknown;
}

export const initialState: FlippingState = {
  theme: "auto",
  picture: "grey",
  overlay: "colours",
  model_name: "",
  title: "",
  status: { state: "idle" },
  order: "both",
  perturb: "inpaint",
  patch: 8,
  target: null,
  score: "logit",
  scope: "image",
  image: 0,
  method: "",
  step: 0,
  hidden: [],
  sort_by: "rank",
  descending: false,
  selection: null,
  images: 1,
  methods: [],
  class_names: [],
  about: { label: "Pixel flipping" },
  perturbations: [],
  gae_missing: "",
  snapshot: null,
};

/** Name of the baseline among the methods. */
export const random = "random";

/** A patch of the grid. */
export interface Patch {
  row: number;
  column: number;
}

/** What curves depend on, beside images and methods. */
export type Request = Pick<FlippingState, "order" | "perturb" | "patch" | "target" | "score">;

/** Mean over images with the ends of its interval; null for what is not known. */
export type Estimate = [number | null, number | null, number | null];

export interface Ranked {
  method: string;
  rank: number | null;
  auc: Record<string, Estimate>;
  gap: Estimate | null;
  /** Share of patches whose order chance decided. */
  tied: number | null;
}

export interface Line {
  method: string;
  order: CurveOrder;
  repeat: number;
}

export interface CurvesMessage extends Request {
  type: "curves";
  final: boolean;
  /** A run was stopped and can go on. */
  unfinished: boolean;
  done: number;
  total: number;
  /** Patches flipped after each step. */
  counts: number[];
  gray_last: boolean;
  grid: { height: number; width: number; patch: number };
  confidence: number;
  bands: Omit<Line, "repeat">[];
  lines: Line[];
  ties: string[];
  images: number[];
  /** The class of each image in `images`; −1 where not known yet. */
  targets: number[];
  known_images: number;
  table: Ranked[];
}

export interface MapMessage {
  type: "map";
  patch: number;
  target: number | null;
  image: number;
  method: string;
  map: MapHeader | null;
}

export interface FrameMessage extends PictureHeader {
  type: "frame";
  perturb: string;
  patch: number;
  target: number | null;
  image: number;
  method: string;
  order: CurveOrder;
  step: number;
}

export interface PictureMessage extends PictureHeader {
  type: "picture";
  image: number;
}

export interface GaeMessage {
  type: "gae";
  rows: Record<string, Estimate>;
  done: number;
  total: number;
}
