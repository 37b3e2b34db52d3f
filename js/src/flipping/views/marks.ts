/** How methods are told apart: colour, dash and marker together, so that none of them has to carry it alone. */
import {
  type SymbolType,
  symbol,
  symbolCircle,
  symbolCross,
  symbolDiamond,
  symbolSquare,
  symbolStar,
  symbolTriangle,
  symbolWye,
} from "d3-shape";
import { random } from "../types.ts";

export interface Mark {
  /** On white, and on black: both stand out there by 3 : 1 or more. */
  light: string;
  dark: string;
  /** As stroke-dasharray takes it; "" for a solid line. */
  dash: string;
  symbol: SymbolType;
}

// After Okabe and Ito, and Tol: told apart by colour-blind readers; yellow is darkened to be seen on white.
const colours: [light: string, dark: string][] = [
  ["#0072b2", "#5fb8f0"],
  ["#c2500a", "#ff9a56"],
  ["#00795a", "#3ed6a8"],
  ["#aa3f8f", "#f09ad6"],
  ["#8a6d00", "#e9c63f"],
  ["#4a3fb5", "#b3a8ff"],
  ["#9b1c31", "#ff8f9c"],
  ["#3f6b2b", "#b4dd8c"],
];
const dashes = ["", "8 4", "2 3", "10 3 2 3", "14 4", "5 2 1 2 1 2", "1 4", "6 6"];
const symbols = [
  symbolCircle,
  symbolSquare,
  symbolTriangle,
  symbolDiamond,
  symbolCross,
  symbolStar,
  symbolWye,
  symbolCircle,
];
const chance: Mark = { light: "#6b6f76", dark: "#a3a8b0", dash: "3 3", symbol: symbolCircle };

/** The mark of a method, by its place among all. */
export function markOf(method: string, methods: readonly string[]): Mark {
  if (method === random) return chance;
  const place = Math.max(0, methods.indexOf(method));
  const [light, dark] = colours[place % colours.length]!;
  // The ninth method has the first one's colour with another dash.
  const turn = Math.floor(place / colours.length);
  return {
    light,
    dark,
    dash: dashes[(place + turn) % dashes.length]!,
    symbol: symbols[(place + 2 * turn) % symbols.length]!,
  };
}

/** Sets the colours that flipping.css picks from by theme. */
export function markStyle({ light, dark }: Mark): Record<string, string> {
  return { "--xw-mark-light": light, "--xw-mark-dark": dark };
}

/** A marker around (0, 0). */
export function markerPath({ symbol: kind }: Mark, size: number): string {
  return symbol(kind, size)() ?? "";
}

/** A marker at each of some points, as one path. */
export function markersPath(mark: Mark, size: number, points: readonly [number, number][]): string {
  const shape = markerPath(mark, size);
  return points.map(([x, y]) => moved(shape, x, y)).join("");
}

/** A path somewhere else: d3's symbols begin at absolute places, and may go on in relative steps (small letters). */
function moved(path: string, x: number, y: number): string {
  return path.replace(/([A-Z])([^A-Za-z]*)/g, (whole, command: string, rest: string) => {
    if (command === "Z") return whole;
    const numbers = rest.split(",").map(Number);
    // Of an arc only the last two numbers are a place.
    const first = command === "A" ? 5 : 0;
    const put = (value: number, i: number) =>
      i < first ? value : Math.round((value + ((i - first) % 2 ? y : x)) * 100) / 100;
    return command + numbers.map(put).join(",");
  });
}
