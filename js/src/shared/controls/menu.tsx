/** A button that opens a short menu of actions. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { take } from "../drawing/keys.ts";
import { useUniqueId } from "./id.ts";

export interface MenuItem {
  label: string;
  hint?: string;
  run: () => void;
}

export function MenuButton({
  label,
  items,
  busy,
}: {
  label: string;
  items: readonly MenuItem[];
  busy?: boolean;
}) {
  const id = useUniqueId();
  const [open, setOpen] = useState(false);
  const anchor = useRef<HTMLSpanElement>(null);

  useLayoutEffect(() => {
    if (!open) return;
    anchor.current?.querySelector<HTMLElement>("[role=menuitem]")?.focus();
    const outside = (event: PointerEvent) => {
      // The path, not the target: within a shadow root, as marimo has it, the window sees only the root's host.
      if (!anchor.current || !event.composedPath().includes(anchor.current)) setOpen(false);
    };
    window.addEventListener("pointerdown", outside, true);
    return () => window.removeEventListener("pointerdown", outside, true);
  }, [open]);

  const close = () => {
    setOpen(false);
    anchor.current?.querySelector("button")?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const entries = [...(anchor.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
    const at = entries.indexOf((anchor.current!.getRootNode() as Document).activeElement as HTMLElement);
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step) entries[(at + step + entries.length) % entries.length]?.focus();
    else if (event.key === "Escape") close();
    else return;
    take(event);
  };

  return (
    <span ref={anchor} class="xw-anchor">
      <button
        type="button"
        class="xw-button"
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={id}
        aria-busy={busy}
        onClick={() => setOpen(!open)}
      >
        {label} <span aria-hidden="true">▾</span>
      </button>
      {open && (
        <div
          id={id}
          class="xw-popup xw-menu"
          role="menu"
          tabIndex={-1}
          aria-label={label}
          onKeyDown={onKeyDown}
        >
          {items.map((item) => (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              onClick={() => {
                close();
                item.run();
              }}
            >
              {item.label}
              {item.hint && <small>{item.hint}</small>}
            </button>
          ))}
        </div>
      )}
    </span>
  );
}
