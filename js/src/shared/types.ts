/** What every widget and Python tell each other: the synced traits that all widgets have, and how things stand. */

export type ThemeChoice = "auto" | "light" | "dark";

/** How a picture lies beneath its heatmap: without colours, so that none is taken for relevance; in colour; not at all. */
export type Beneath = "grey" | "colour" | "none";

/** How a heatmap lies over its picture: in colours, or as outlines of its strongest parts. */
export type OverlayStyle = "colours" | "outlines";

/** The traits that every widget has: see the Python class `Widget`. */
export interface WidgetState {
  theme: ThemeChoice;
  title: string;
  picture: Beneath;
  overlay: OverlayStyle;
  model_name: string;
  image: number;
  images: number;
  class_names: string[];
  status: Status;
}

/** What a "?" says: a sentence, and where to read on; see xaiwidgets/words.py. */
export interface Help {
  help?: string;
  /** Authors and year. */
  paper?: string;
  /** "doi:…" or "arXiv:…" */
  link?: string;
}

/** A method in words. */
export interface About extends Help {
  label: string;
}

/** How far a computation is. */
export interface Progress {
  state: string;
  done?: number;
  total?: number | null;
  unit?: string;
  seconds_left?: number | null;
  largest_error?: number | null;
  /** Whether it ended before the total, as it was good enough. */
  enough?: boolean;
}

export interface Status extends Omit<Progress, "state"> {
  state: "idle" | "running" | "done" | "stopped" | "error";
  message?: string;
  hint?: string;
  request?: number | null;
}

/** A file that Python wrote, or why it could not; the file itself is the buffer. */
export interface ExportMessage {
  type: "export";
  id: number;
  format: string;
  name: string;
  error?: string;
}

/** How things stand with the kernel: not known yet, answering, not answering, or none by design. */
export type Connection = "waiting" | "live" | "silent" | "none";
