/** What stands beside a frame in a notebook's output: it is run with each of them, and does its work once. */
import { hostFrames } from "./frame.ts";

declare global {
  interface Window {
    xaiwidgetsFrames?: true;
  }
}

if (!window.xaiwidgetsFrames) {
  window.xaiwidgetsFrames = true;
  hostFrames();
}
