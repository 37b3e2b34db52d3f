/** Where things stand in a panel of the chart; shared by the screen and by figures for papers. */
import { type ScaleLinear, scaleLinear } from "d3-scale";
import { area, line } from "d3-shape";
import type { Curves, Series } from "../state/curves.ts";

export interface Size {
  width: number;
  height: number;
}

/** On the right there is room for the point where all is grey, and its name. */
export const margin = { top: 8, right: 36, bottom: 36, left: 46 };
const aside = 12; // px from 100 % to there

export class Geometry {
  readonly x: ScaleLinear<number, number>;
  readonly y: ScaleLinear<number, number>;

  constructor(
    readonly curves: Curves,
    domain: [number, number],
    readonly size: Size,
  ) {
    this.x = scaleLinear([0, 1], [margin.left, size.width - margin.right]);
    this.y = scaleLinear(domain, [size.height - margin.bottom, margin.top]).nice(5);
  }

  /** Where a step stands. The last, all-gray one has flipped no more patches than the one before: it stands a little aside. */
  at(step: number): number {
    const place = this.x(this.curves.fraction(step));
    return this.isGray(step) ? place + aside : place;
  }

  isGray(step: number): boolean {
    return this.curves.header.gray_last && step === this.curves.steps;
  }

  /** Where all is grey: the end of the curves, beyond 100 % of the patches; null where they end before. */
  get grey(): number | null {
    const last = this.curves.steps;
    return this.isGray(last) ? this.at(last) : null;
  }

  /** The step nearest to a place. */
  stepAt(x: number): number {
    let nearest = 0;
    for (let step = 1; step <= this.curves.steps; step++) {
      if (Math.abs(this.at(step) - x) < Math.abs(this.at(nearest) - x)) nearest = step;
    }
    return nearest;
  }

  path({ values }: Series): string {
    return (
      line<number>()
        .defined(Number.isFinite)
        .x((_, step) => round(this.at(step)))
        .y((value) => round(this.y(value)))([...values]) ?? ""
    );
  }

  /** The points of a line that are known. */
  points({ values }: Series): [number, number][] {
    return [...values].flatMap((value, step) =>
      Number.isFinite(value) ? [[round(this.at(step)), round(this.y(value))] as [number, number]] : [],
    );
  }

  band({ low, high }: Series): string {
    if (!low || !high) return "";
    const steps = Array.from(low, (_, step) => step);
    return (
      area<number>()
        .defined((step) => Number.isFinite(low[step]) && Number.isFinite(high[step]))
        .x((step) => round(this.at(step)))
        .y0((step) => round(this.y(low[step]!)))
        .y1((step) => round(this.y(high[step]!)))(steps) ?? ""
    );
  }
}

/** From the lowest to the highest value of all lines and bands, with a little room where they are all one. */
export function domainOf(series: readonly Series[]): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { values, low: lower, high: upper } of series) {
    for (const part of [values, lower, upper]) {
      for (const value of part ?? []) {
        if (!Number.isFinite(value)) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
  }
  if (!(low <= high)) return [0, 1];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
