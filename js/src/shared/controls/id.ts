/** Ids that are unique in the page: a notebook shows many widgets, each from its own copy of this code. */
import { useState } from "preact/hooks";

const copy = Math.random().toString(36).slice(2, 8);
let count = 0;

export function useUniqueId(): string {
  return useState(() => `xw-${copy}-${count++}`)[0];
}
