/** Numbers, shares and durations as people read them. */
import { clamp } from "./numbers.ts";

const minus = "−"; // the true minus sign: as wide as a plus

/** A value with three significant digits; plain where that is short, powers of ten where it is not. */
export function formatNumber(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "no value" : value > 0 ? "∞" : `${minus}∞`;
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text =
    size >= 1e-4 && size < 1e6
      ? trimZeros(
          size.toPrecision(digits).includes("e") ? String(Math.round(size)) : size.toPrecision(digits),
        )
      : scientific(size, digits);
  return value < 0 ? minus + text : text;
}

function trimZeros(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function scientific(size: number, digits: number): string {
  const [mantissa, exponent] = size.toExponential(digits - 1).split("e");
  return `${trimZeros(mantissa!)}e${exponent!.replace("+", "").replace("-", minus)}`;
}

/** "0.713 ± 0.012": the value rounded to where its standard error is still worth reading. */
export function formatWithError(value: number, error: number | null): string {
  if (error === null || !Number.isFinite(error) || error <= 0) return formatNumber(value);
  const decimals = clamp(1 - Math.floor(Math.log10(error)), 0, 8);
  if (decimals > 6 || Math.abs(value) >= 1e6) return `${formatNumber(value)} ± ${formatNumber(error, 2)}`;
  const text = Math.abs(value).toFixed(decimals);
  return `${value < 0 && Number(text) !== 0 ? minus : ""}${text} ± ${error.toFixed(decimals)}`;
}

/** A share of 1 in per cent, without decimals unless it is below one per cent. */
export function formatPercent(share: number): string {
  const percent = share * 100;
  if (percent > 0 && percent < 1) return `${formatNumber(percent, 1)} %`;
  return `${Math.round(percent)} %`;
}

/** A probability in per cent with one decimal, never rounded to what it is not: certain, or impossible. */
export function formatProbability(share: number): string {
  const text = (share * 100).toFixed(1);
  if (text === "100.0" && share < 1) return "> 99.9 %";
  if (text === "0.0" && share > 0) return "< 0.1 %";
  return `${text.replace(/\.0$/, "")} %`;
}

/** "0.4 MB", "120 kB" */
export function formatBytes(bytes: number): string {
  return bytes >= 1e6 ? `${formatNumber(bytes / 1e6, 2)} MB` : `${Math.max(1, Math.round(bytes / 1e3))} kB`;
}

/** "4 s", "2 min", "1 h 20 min": rounded so that it does not flicker. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "";
  if (seconds < 1) return "under 1 s";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  return `${Math.floor(minutes / 60)} h${rest ? ` ${rest} min` : ""}`;
}

/** Whole numbers with thin spaces between thousands from 10 000 on. */
export function formatCount(count: number): string {
  const text = String(Math.round(count));
  return text.length > 4 ? text.replace(/\B(?=(\d{3})+$)/g, "\u202f") : text;
}
