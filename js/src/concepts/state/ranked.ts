/** Which concepts stand in the list, in what order, with what numbers. */
import type { Order } from "../types.ts";
import type { Ranking, Region } from "./results.ts";

export interface Ranked {
  concept: number;
  /** What the order goes by: signed share of the relevance, of all in the layer or of all inside the box; or activation. */
  value: number;
  /** The same over the whole image, where `value` is that of a box. */
  whole: number | null;
}

/** Each unit's relevance divided by the sum of all absolute relevances of the layer. */
export function shares(relevance: Float32Array): Float32Array {
  let total = 0;
  for (const value of relevance) total += Math.abs(value);
  return total > 0 ? relevance.map((value) => value / total) : new Float32Array(relevance.length);
}

/** All concepts, those of largest absolute value first; equal ones in the order of their ids. */
export function ranked(ranking: Ranking, region: Region | null, order: Order): Ranked[] {
  const byRegion = region !== null;
  const values = byRegion
    ? shares(region.relevance)
    : order === "activation"
      ? ranking.activation
      : shares(ranking.relevance);
  const whole = byRegion ? shares(ranking.relevance) : null;
  const ids = Uint32Array.from(values, (_, i) => i);
  // Typed arrays sort in place and stable, and a few thousand numbers take about a millisecond.
  ids.sort((a, b) => Math.abs(values[b]!) - Math.abs(values[a]!));
  return Array.from(ids, (concept) => ({
    concept,
    value: values[concept]!,
    whole: whole?.[concept] ?? null,
  }));
}

/** The concept of most absolute relevance. */
export function strongest({ relevance }: Ranking): number {
  let best = 0;
  for (let i = 1; i < relevance.length; i++)
    if (Math.abs(relevance[i]!) > Math.abs(relevance[best]!)) best = i;
  return best;
}
