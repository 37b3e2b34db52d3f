/** A "?" that says in a sentence what something is, and where to read on. */
import { useRef } from "preact/hooks";
import { address } from "../data/words.ts";
import type { Help } from "../types.ts";
import { useUniqueId } from "./id.ts";
import { usePopup } from "./popup.ts";

export function HelpButton({ of, help }: { of: string; help: Help | undefined }) {
  const anchor = useRef<HTMLSpanElement>(null);
  const id = useUniqueId();
  const popup = usePopup(anchor);
  if (!help?.help) return null;
  return (
    <span ref={anchor} class="xw-anchor xw-help">
      <button
        type="button"
        class="xw-ask"
        aria-label={`What is “${of}”?`}
        aria-expanded={popup.open}
        aria-controls={id}
        onClick={popup.toggle}
      >
        ?
      </button>
      {popup.open && (
        <span id={id} class="xw-popup xw-answer" data-side={popup.side} role="note">
          {sentence(help.help)}
          {help.paper && help.link && (
            <a href={address(help.link)} target="_blank" rel="noreferrer">
              {help.paper}
            </a>
          )}
        </span>
      )}
    </span>
  );
}

function sentence(text: string): string {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

/** A control's label with its "?". The button stands beside the label: within, a press on it would be one on the control. */
export function FieldLabel({
  text,
  id,
  of,
  help,
}: {
  text: string;
  id?: string;
  of?: string;
  help?: Help | undefined;
}) {
  return (
    <span class="xw-label">
      {of ? (
        <label for={of} id={id}>
          {text}
        </label>
      ) : (
        <span id={id}>{text}</span>
      )}
      <HelpButton of={text} help={help} />
    </span>
  );
}
