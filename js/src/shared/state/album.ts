/** The images of a widget: what the model says of each, its label where known, and small pictures of all. */
import { signal } from "@preact/signals";
import { type Bytes, toBase64 } from "../data/wire.ts";
import type { Message } from "./host.ts";
import type { RecordedMessage } from "./standin.ts";

/** Whether the numbers are probabilities, or scores that are none. */
export type ShareKind = "probability" | "value";

/** What the model says of an image: classes with their numbers, the highest first, and the true class where known. */
export interface Prediction {
  kind: ShareKind;
  classes: Int32Array;
  shares: Float32Array;
  label: number | null;
}

/** The small picture of an image: its place on a sheet of pictures of one size. */
export interface Tile {
  url: string;
  column: number;
  row: number;
  columns: number;
  rows: number;
  /** Width over height. */
  aspect: number;
}

/** What is known of an image. */
export interface Entry {
  image: number;
  kind: ShareKind;
  /** The predicted class and its number; `none` where the only class there is was not found. */
  predicted: number | null;
  share: number | null;
  label: number | null;
  tile: Tile | null;
}

interface PageHeader {
  start: number;
  tile: [width: number, height: number];
  columns: number;
  kind: ShareKind | null;
  classes: number[] | null;
  shares: number[] | null;
  /** Whether the model has one class alone, found or not. */
  alone?: boolean;
  labels: (number | null)[];
}

interface Page extends PageHeader {
  url: string;
  bytes: Bytes;
}

export class Album {
  readonly predictions = signal<ReadonlyMap<number, Prediction>>(new Map());
  private readonly pages = signal<readonly Page[]>([]);

  /** `model`: of several which; `pictures`: the first one's album, whose small pictures are those of all. */
  constructor(
    private readonly model = 0,
    private readonly pictures: Album | null = null,
  ) {}

  /** Takes a message about images; false for others, and for what another model says. */
  receive(message: Message, buffers: Bytes[]): boolean {
    if ((message.model ?? 0) !== this.model) return false;
    if (message.type === "prediction") {
      const { image, kind, label } = message as unknown as Prediction & { image: number };
      const [classes, shares] = buffers.map((bytes) => bytes.slice().buffer);
      if (!classes || !shares) return true;
      this.know(image, {
        kind,
        label: label ?? null,
        classes: new Int32Array(classes),
        shares: new Float32Array(shares),
      });
    } else if (message.type === "album") {
      const [bytes] = buffers;
      if (!bytes) return true;
      const page = {
        ...(message as unknown as PageHeader),
        bytes,
        url: `data:image/jpeg;base64,${toBase64(bytes)}`,
      };
      this.pages.value = [...this.pages.peek().filter(({ start }) => start !== page.start), page];
    } else return false;
    return true;
  }

  know(image: number, prediction: Prediction): void {
    this.predictions.value = new Map(this.predictions.peek()).set(image, prediction);
  }

  prediction(image: number): Prediction | null {
    return this.predictions.value.get(image) ?? null;
  }

  entry(image: number): Entry {
    const known = this.predictions.value.get(image);
    const page = this.pages.value.find(
      ({ start, labels }) => image >= start && image < start + labels.length,
    );
    const at = page ? image - page.start : 0;
    const kind = known?.kind ?? page?.kind ?? "probability";
    const index = known?.classes[0] ?? page?.classes?.[at] ?? null;
    const number = known?.shares[0] ?? page?.shares?.[at] ?? null;
    const alone = known ? known.classes.length === 1 : (page?.alone ?? false);
    const [predicted, share] =
      index === null || number === null ? [index, number] : saidOf(kind, alone, index, number);
    return {
      image,
      kind,
      predicted,
      share,
      label: known?.label ?? page?.labels[at] ?? null,
      tile: this.pictures ? this.pictures.entry(image).tile : page ? tileOf(page, at) : null,
    };
  }

  /** Whether small pictures are here. */
  get hasTiles(): boolean {
    return this.pages.value.length > 0;
  }

  /** The messages again, of an image or of all. */
  recorded(image: number | "all"): RecordedMessage[] {
    const said = [...this.predictions.peek()].filter(([of]) => image === "all" || of === image);
    const model = this.model ? { model: this.model } : {};
    return [
      ...said.map(([of, { kind, label, classes, shares }]) => ({
        content: { type: "prediction", image: of, kind, label, ...model },
        buffers: [classes, shares].map((part) => toBase64(new Uint8Array(part.slice().buffer))),
      })),
      ...this.pages.peek().map(({ url: _, bytes, ...header }) => ({
        content: { type: "album", ...header },
        buffers: [toBase64(bytes)],
      })),
    ];
  }

  dispose(): void {
    this.predictions.value = new Map();
    this.pages.value = [];
  }
}

function tileOf({ url, tile: [width, height], columns: most, labels }: Page, at: number): Tile {
  const [column, row] = [at % most, Math.floor(at / most)];
  const [columns, rows] = [Math.min(most, labels.length), Math.ceil(labels.length / most)];
  return { url, column, row, columns, rows, aspect: width / height };
}

/** That the only class there is was not found. */
export const none = -1;

/** What a model says of an image, of one probability alone whether it is the class: `none` where it is not, with how sure that is. */
export function saidOf(kind: ShareKind, alone: boolean, index: number, share: number): [number, number] {
  return kind === "probability" && alone && share < 0.5 ? [none, 1 - share] : [index, share];
}

/** The class said, by its name. */
export function saidName(index: number, className: (index: number) => string): string {
  return index === none ? `not ${className(0)}` : className(index);
}

/** Whether a prediction is right; null where nobody knows. */
export function isRight({ predicted, label }: Pick<Entry, "predicted" | "label">): boolean | null {
  return label === null || predicted === null ? null : predicted === label;
}
