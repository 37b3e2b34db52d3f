/** Names and numbers as people read them. */
import { formatPercent } from "../../shared/data/format.ts";
import type { Curves } from "../state/curves.ts";
import { type CurveOrder, random } from "../types.ts";

export const orderNames: Record<CurveOrder, string> = {
  morf: "Most relevant first",
  lerf: "Least relevant first",
  random: "Random order",
};

export const orderShort: Record<CurveOrder, string> = { morf: "MoRF", lerf: "LeRF", random: "Random" };

export function methodName(method: string): string {
  return method === random ? "random order" : method;
}

/** "step 3 of 9 · 9 of 64 patches, 14 %" */
export function stepText(curves: Curves, step: number): string {
  const { counts, gray_last } = curves.header;
  const place = `step ${step} of ${curves.steps}`;
  if (step === 0) return `${place} · untouched`;
  if (gray_last && step === curves.steps) return `${place} · all grey`;
  const count = counts[step] ?? 0;
  return `${place} · ${count} of ${curves.patches} patches, ${formatPercent(curves.fraction(step))}`;
}

const minus = "−";

/** So many decimals that the largest of some numbers has four digits; the same for a whole column. */
export function decimalsFor(values: readonly (number | null | undefined)[]): number {
  const size = Math.max(0, ...values.map((value) => Math.abs(value ?? 0)));
  return size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : size >= 0.01 || size === 0 ? 3 : 5;
}

export function fixed(value: number | null | undefined, decimals: number): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const text = Math.abs(value).toFixed(decimals);
  return value < 0 && Number(text) !== 0 ? minus + text : text;
}
