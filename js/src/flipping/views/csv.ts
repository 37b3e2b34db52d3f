/** Every point of every curve as CSV, with the columns of Python's `FlippingResult.to_csv`. */
import { csvText } from "../../shared/data/tables.ts";
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
        const score = scores[step]!;
        rows.push([method, order, repeat, image, targets[place]!, step, count, curves.fraction(step), score]);
      });
    });
  });
  return csvText(rows);
}
