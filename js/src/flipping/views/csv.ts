/** Every point of every curve as CSV, with the columns of Python's `FlippingResult.to_csv`. */
import type { Curves } from "../state/curves.ts";

const columns = ["method", "order", "repeat", "image", "target", "step", "patches", "fraction", "score"];

export function csvOf(curves: Curves | null): string {
  if (!curves) throw new Error("there are no curves to save yet");
  const { counts, lines, images, targets } = curves.header;
  const rows: (string | number)[][] = [columns];
  lines.forEach((line, i) => {
    images.forEach((image, place) => {
      const scores = curves.points(i, place);
      counts.forEach((count, step) => {
        const { method, order, repeat } = line;
        const value = scores[step]!;
        const score = Number.isNaN(value) ? "nan" : value;
        rows.push([method, order, repeat, image, targets[place]!, step, count, curves.fraction(step), score]);
      });
    });
  });
  return `${rows.map((row) => row.map(quoted).join(",")).join("\r\n")}\r\n`;
}

function quoted(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
