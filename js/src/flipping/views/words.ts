/** Names and numbers as people read them. */
import { formatPercent } from "../../shared/data/format.ts";
import type { Curves } from "../state/curves.ts";
import type { FlippingStore } from "../state/store.ts";
import { type CurveOrder, type Request, random } from "../types.ts";

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

/** Of curves and pictures that do not answer the present request: what they are of, and what becomes of the answer. */
export function stillText(store: FlippingStore): string {
  const { curves, current } = store.shown.value;
  if (!curves || current) return "";
  const { image, status } = store.state;
  const [before, asked] = [curves.header, store.request.value];
  const named = (of: Request, target: number | null): string => {
    const parts: string[] = [];
    if (before.target !== asked.target)
      parts.push(target === null ? "predicted class" : store.className(target));
    if (before.patch !== asked.patch) parts.push(`patch ${of.patch} px`);
    if (before.perturb !== asked.perturb) parts.push(of.perturb);
    if (before.score !== asked.score) parts.push(of.score);
    if (before.order !== asked.order) parts.push(of.order === "both" ? "both orders" : orderShort[of.order]);
    return parts.join(", ") || "older curves";
  };
  const next = asked.target ?? store.album.prediction(image.value)?.classes[0] ?? null;
  const state = store.busy.value
    ? "computing"
    : status.value.state === "error"
      ? "no answer for"
      : "not computed:";
  const was = named(before, curves.target(image.value));
  return `still: ${was} · ${state} ${named(asked, next)}${store.busy.value ? "…" : ""}`;
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
