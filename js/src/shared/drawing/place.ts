/** A picture in its frame: the frame's proportions, and where in it the pointer is. */

/** Width over height; a square while there is no picture. */
export function aspectOf(size: { width: number; height: number } | null | undefined): number {
  return size ? size.width / size.height : 1;
}

/** The pointer's place in an element, as shares of its width and height; outside 0..1 beyond its edges. */
export function pointAt(
  element: Element,
  { clientX, clientY }: { clientX: number; clientY: number },
): [u: number, v: number] {
  const box = element.getBoundingClientRect();
  return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
}
