/** What a pixel says, in words. */
import { formatNumber, formatPercent, formatWithError } from "../../shared/data/format.ts";
import { type Pane, type PaneContent, showsMap } from "./panes.ts";

export interface Reading {
  /** "0.713 ± 0.012" */
  value: string;
  /** "row 34, column 50" */
  place: string;
  /** "among the surest 43 % of pixels", where the method knows how sure it is */
  sureness: string;
}

export function readPixel(pane: Pane, content: PaneContent, x: number, y: number): Reading | null {
  const { map } = content.paint;
  // Python may hold a selection of another image's size, or an empty one.
  if (!(x >= 0 && y >= 0 && x < map.width && y < map.height)) return null;
  // The standard error is that of the method's first map; its uncertainty has none.
  const hasError = content.error !== null && showsMap(pane) && pane.view.map === pane.method.views[0]?.map;
  const value = map.at(x, y);
  const error = hasError ? content.error!.at(x, y) : null;
  const rank = content.filter ? content.filter.distribution.ranks[y * map.width + x] : undefined;
  return {
    value: Number.isFinite(value) ? formatWithError(value, error) : formatNumber(value),
    place: `row ${y}, column ${x}`,
    sureness: rank === undefined ? "" : `among the surest ${formatPercent(rank / 65535)} of pixels`,
  };
}
