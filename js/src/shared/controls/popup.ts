/** What opens beside its button: closed by Escape and by a press elsewhere, and never beyond the widget's edge. */
import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";
import { take } from "../drawing/keys.ts";

interface Popup {
  open: boolean;
  /** Which side of the button it opens towards, so that it stays in the widget. */
  side: "left" | "right";
  toggle: () => void;
}

export function usePopup(anchor: RefObject<HTMLElement | null>): Popup {
  const [open, setOpen] = useState(false);
  const [side, setSide] = useState<"left" | "right">("right");

  // Heard from the moment it is there: an effect after the frame would miss a key that comes before.
  useLayoutEffect(() => {
    const element = anchor.current;
    if (!open || !element) return;
    const close = (event: Event) => {
      // The path, not the target: within a shadow root, as marimo has it, the window sees only the root's host.
      if (event instanceof KeyboardEvent ? event.key !== "Escape" : event.composedPath().includes(element))
        return;
      if (event instanceof KeyboardEvent) {
        take(event);
        element.querySelector("button")?.focus();
      }
      setOpen(false);
    };
    window.addEventListener("pointerdown", close, true);
    element.addEventListener("keydown", close);
    return () => {
      window.removeEventListener("pointerdown", close, true);
      element.removeEventListener("keydown", close);
    };
  }, [open, anchor]);

  return {
    open,
    side,
    toggle: () => {
      const own = anchor.current!.getBoundingClientRect();
      const all = anchor.current!.closest(".xw")!.getBoundingClientRect();
      setSide(own.left > (all.left + all.right) / 2 ? "left" : "right");
      setOpen(!open);
    },
  };
}
