/**
 * Ranks and quantiles of a map in one pass over its pixels, without sorting.
 *
 * Values are binned by the upper 20 bits of their float32 form, made sortable. That keeps sign, exponent and
 * 11 bits of fraction: exact for maps that travelled as float16, and within 0.05 % for float32, however skewed
 * the values are.
 */
import { clamp } from "./numbers.ts";

const bins = 1 << 20;
const counts = new Uint32Array(bins); // shared scratch: one megabin a call would churn memory while streaming

export class Distribution {
  private constructor(
    /** Largest rank a pixel can have. */
    readonly top: number,
    /** For every pixel, its quantile as 0..65535: the share of finite pixels with a value up to its own. */
    readonly ranks: Uint16Array,
    private readonly values: Float32Array,
    private readonly shares: Float32Array,
    readonly count: number,
  ) {}

  static of(map: Float32Array): Distribution {
    const keys = sortableKeys(map);
    let first = bins;
    let last = -1;
    let count = 0;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      if (key === bins) continue;
      counts[key]!++;
      count++;
      if (key < first) first = key;
      if (key > last) last = key;
    }
    // One entry for each value that occurs: the value, and the share of pixels up to it.
    const values: number[] = [];
    const shares: number[] = [];
    let seen = 0;
    for (let key = first; key <= last; key++) {
      const here = counts[key]!;
      if (here === 0) continue;
      seen += here;
      counts[key] = count ? Math.max(1, Math.round((seen / count) * 65535)) : 0; // now the rank of this bin
      values.push(keyToNumber(key));
      shares.push(seen / count);
    }
    const ranks = new Uint16Array(map.length);
    for (let i = 0; i < keys.length; i++) ranks[i] = keys[i] === bins ? 65535 : counts[keys[i]!]!;
    if (last >= 0) counts.fill(0, first, last + 1);
    return new Distribution(65535, ranks, Float32Array.from(values), Float32Array.from(shares), count);
  }

  get lowest(): number {
    return this.values[0] ?? 0;
  }

  get highest(): number {
    return this.values[this.values.length - 1] ?? 0;
  }

  get extent(): [number, number] {
    return [this.lowest, this.highest];
  }

  /** The smallest value that at least the share q of the pixels do not exceed. */
  quantile(q: number): number {
    if (this.values.length === 0) return 0;
    // Shares are float32; a hair of slack keeps q = 0.3 from falling into the next value.
    const target = q - 1e-6;
    let low = 0;
    let high = this.values.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.shares[middle]! >= target) high = middle;
      else low = middle + 1;
    }
    return this.values[low]!;
  }

  /** The share of pixels whose value is at most v. */
  shareBelow(v: number): number {
    let low = 0;
    let high = this.values.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.values[middle]! <= v) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : this.shares[low - 1]!;
  }

  /** Pixel counts in equal steps of value from `from` to `to`; what lies beyond falls into the last bar. */
  histogram(from: number, to: number, bars: number): number[] {
    const out = new Array<number>(bars).fill(0);
    const width = (to - from) / bars || 1;
    let before = 0;
    for (let i = 0; i < this.values.length; i++) {
      const bar = clamp(Math.floor((this.values[i]! - from) / width), 0, bars - 1);
      out[bar]! += (this.shares[i]! - before) * this.count;
      before = this.shares[i]!;
    }
    return out.map(Math.round);
  }
}

/** Keys that sort as the numbers do; `bins` marks what is not finite. */
function sortableKeys(map: Float32Array): Uint32Array {
  const bits = new Uint32Array(map.buffer, map.byteOffset, map.length);
  const keys = new Uint32Array(map.length);
  for (let i = 0; i < bits.length; i++) {
    const b = bits[i]!;
    if ((b & 0x7f800000) === 0x7f800000) keys[i] = bins;
    else keys[i] = (b & 0x80000000 ? ~b : b | 0x80000000) >>> 12;
  }
  return keys;
}

const one = new DataView(new ArrayBuffer(4));

function keyToNumber(key: number): number {
  const b = key << 12;
  // The bits that were cut off count as zeros again, for negative numbers (stored inverted) as well.
  one.setUint32(0, b & 0x80000000 ? b & 0x7fffffff : ~(b | 0xfff) >>> 0);
  return one.getFloat32(0);
}
