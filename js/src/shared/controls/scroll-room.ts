/**
 * Whether an element that stays in view while the rest scrolls leaves room for that rest. Hosts put outputs into boxes of
 * their own, far less tall than the window, where a picture that stays would lie over everything else for good.
 */
import { useLayoutEffect } from "preact/hooks";

const mostShare = 0.7; // of the height of what scrolls

/** Keeps data-room ("little" or none) on the element up to date. */
export function useScrollRoom(ref: { current: HTMLElement | null }): void {
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    const measure = () => {
      const room = scrollBox(element)?.clientHeight ?? window.innerHeight;
      if (element.offsetHeight > mostShare * room) element.dataset.room = "little";
      else delete element.dataset.room;
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    const box = scrollBox(element);
    if (box) observer.observe(box);
    addEventListener("resize", measure);
    return () => {
      observer.disconnect();
      removeEventListener("resize", measure);
    };
  }, [ref]);
}

/** What scrolls around the element, also where that is outside of a shadow root; null: the window. */
function scrollBox(element: HTMLElement): HTMLElement | null {
  for (let node: Node | null = element; node; node = parentOf(node)) {
    if (!(node instanceof HTMLElement) || node === element || node === document.body) continue;
    if (node !== document.documentElement && /auto|scroll/.test(getComputedStyle(node).overflowY))
      return node;
  }
  return null;
}

function parentOf(node: Node): Node | null {
  return node.parentNode instanceof ShadowRoot ? node.parentNode.host : node.parentNode;
}
