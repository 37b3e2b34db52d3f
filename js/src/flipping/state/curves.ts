/** Curves as the browser keeps them, and what is read off them. */
import { type Bytes, decodeFloats } from "../../shared/data/wire.ts";
import {
  type CurveOrder,
  type CurvesMessage,
  type Estimate,
  type Line,
  type Ranked,
  random,
} from "../types.ts";

/** A line of the chart: a value at every step, and the ends of its band where it has one. */
export interface Series {
  method: string;
  order: CurveOrder;
  values: Float32Array;
  low: Float32Array | null;
  high: Float32Array | null;
}

/** A line of the table, of one image or of the mean over all. */
export interface Row {
  method: string;
  rank: number | null;
  auc: Partial<Record<CurveOrder, Estimate>>;
  gap: Estimate | null;
  tied: number | null;
}

export class Curves {
  private readonly bands: Float32Array;
  private readonly scores: Float32Array;
  private readonly areas: Float32Array;
  private readonly ties: Float32Array;

  constructor(
    readonly header: CurvesMessage,
    private readonly buffers: readonly Bytes[],
  ) {
    const [bands, scores, areas, ties] = buffers.map((bytes) => decodeFloats(bytes, "float32"));
    const { lines, images } = header;
    const expected = header.bands.length * 3 * this.length + lines.length * images.length * this.length;
    if (!bands || !scores || !areas || !ties || bands.length + scores.length !== expected)
      throw new RangeError("the curves' buffers do not fit their header");
    this.bands = bands;
    this.scores = scores;
    this.areas = areas;
    this.ties = ties;
  }

  /** Points of a curve: the untouched image and every step. */
  get length(): number {
    return this.header.counts.length;
  }

  /** The last step. */
  get steps(): number {
    return this.length - 1;
  }

  get rows(): number {
    return Math.ceil(this.header.grid.height / this.header.grid.patch);
  }

  get columns(): number {
    return Math.ceil(this.header.grid.width / this.header.grid.patch);
  }

  get patches(): number {
    return this.rows * this.columns;
  }

  /** Share of patches flipped after a step. */
  fraction(step: number): number {
    return (this.header.counts[step] ?? 0) / this.patches;
  }

  /** Orders of which there are curves; chance alone has its own. */
  get orders(): CurveOrder[] {
    const found = [...new Set(this.header.lines.map(({ order }) => order))].filter(
      (order) => order !== random,
    );
    return found.length ? found : [random];
  }

  has(image: number): boolean {
    return this.header.images.includes(image);
  }

  /** The class whose score an image's curves follow; null where it is not known yet. */
  target(image: number): number | null {
    const target = this.header.targets[this.header.images.indexOf(image)] ?? -1;
    return target < 0 ? null : target;
  }

  /** The lines of one panel: the mean over images, or those of one image. Chance stands in every panel. */
  series(order: CurveOrder, image: number | null): Series[] {
    return this.header.bands.flatMap((band, i) => {
      if (band.order !== order && band.method !== random) return [];
      if (image !== null) return this.imageSeries(band.method, band.order, image) ?? [];
      const part = (k: number) =>
        this.bands.subarray((i * 3 + k) * this.length, (i * 3 + k + 1) * this.length);
      const [values, low, high] = [part(0), part(1), part(2)];
      const narrow = low.every(Number.isNaN);
      return [{ ...band, values, low: narrow ? null : low, high: narrow ? null : high }];
    });
  }

  /** The score of an image after a step; NaN where it is not known yet. */
  score({ method, order }: { method: string; order: CurveOrder }, image: number, step: number): number {
    return this.imageSeries(method, order, image)?.values[step] ?? Number.NaN;
  }

  /** How far the score of an image, or the mean, is from where it began when all is hidden, as a share; null where not known. */
  change(image: number | null): number | null {
    for (const { values } of this.orders.flatMap((order) => this.series(order, image))) {
      const [first, last] = [values[0]!, values[this.steps]!];
      if (Number.isFinite(first) && Number.isFinite(last) && first !== 0)
        return Math.abs(last - first) / Math.abs(first);
    }
    return null;
  }

  /** The table of the mean over images as Python says it, or of one image. */
  table(image: number | null): Row[] {
    return image === null ? this.header.table : this.imageTable(image);
  }

  /** The scores of one line for one of the images that came along. */
  points(line: number, place: number): Float32Array {
    const start = (line * this.header.images.length + place) * this.length;
    return this.scores.subarray(start, start + this.length);
  }

  /** The message again, for a page of its own. */
  recorded(): { content: CurvesMessage; buffers: readonly Bytes[] } {
    return { content: this.header, buffers: this.buffers };
  }

  private linesOf(method: string, order: CurveOrder): number[] {
    const fits = (line: Line) => line.method === method && (method === random || line.order === order);
    return this.header.lines.flatMap((line, i) => (fits(line) ? [i] : []));
  }

  /** One line, or the mean over the baseline's repeats with their spread. */
  private imageSeries(method: string, order: CurveOrder, image: number): Series | null {
    const place = this.header.images.indexOf(image);
    const lines = this.linesOf(method, order);
    if (place < 0 || lines.length === 0) return null;
    const repeats = lines.map((line) => this.points(line, place));
    if (repeats.length === 1) return { method, order, values: repeats[0]!, low: null, high: null };
    const over = (read: (values: number[]) => number) =>
      Float32Array.from({ length: this.length }, (_, step) => read(repeats.map((repeat) => repeat[step]!)));
    return { method, order, values: over(mean), low: over(smallest), high: over(largest) };
  }

  private imageTable(image: number): Row[] {
    const place = this.header.images.indexOf(image);
    if (place < 0)
      return this.header.table.map((row) => ({ ...row, rank: null, auc: {}, gap: null, tied: null }));
    const area = (method: string, order: CurveOrder): number => {
      const lines = this.linesOf(method, order);
      return mean(lines.map((line) => this.areas[line * this.header.images.length + place]!));
    };
    const alone = (value: number): Estimate => [Number.isFinite(value) ? value : null, null, null];
    const rows: Row[] = this.header.table.map(({ method, auc, gap }: Ranked) => {
      const orders = Object.keys(auc) as CurveOrder[];
      const areas = Object.fromEntries(orders.map((order) => [order, area(method, order)]));
      const tied = this.ties[this.header.ties.indexOf(method) * this.header.images.length + place];
      return {
        method,
        rank: null,
        auc: Object.fromEntries(orders.map((order) => [order, alone(areas[order]!)])),
        gap: gap === null ? null : alone(areas.lerf! - areas.morf!),
        tied: method === random || tied === undefined || Number.isNaN(tied) ? null : tied,
      };
    });
    // As Python ranks the means: by the gap where both orders were run, else by the area.
    const [first] = this.orders;
    const goodness = ({ auc, gap }: Row) =>
      gap?.[0] ?? (first === "lerf" ? 1 : -1) * (auc[first!]?.[0] ?? Number.NaN);
    const ranked = rows
      .filter((row) => row.method !== random && Number.isFinite(goodness(row)))
      .sort((a, b) => goodness(b) - goodness(a));
    for (const [i, row] of ranked.entries()) row.rank = i + 1;
    return rows;
  }
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const smallest = (values: number[]) => Math.min(...values);
const largest = (values: number[]) => Math.max(...values);
