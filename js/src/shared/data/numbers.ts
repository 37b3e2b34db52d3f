/** Numbers kept within bounds. */

export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

/** Which of `count` cells lies at a share of their whole length; beyond an end, the last one there. */
export function cellAt(share: number, count: number): number {
  return clamp(Math.floor(share * count), 0, count - 1);
}
