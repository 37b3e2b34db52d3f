/** A switch between a few choices, all visible: a radio group, so arrow keys move within it. */
import { useRef } from "preact/hooks";
import { take } from "../drawing/keys.ts";
import type { Help } from "../types.ts";
import { FieldLabel } from "./help.tsx";
import { useUniqueId } from "./id.ts";

export interface Choice<Value extends string = string> {
  value: Value;
  label: string;
  title?: string;
}

interface SegmentedProps<Value extends string> {
  label: string;
  help?: Help | undefined;
  /** Whether the label is also shown, or only said. */
  showLabel?: boolean;
  /** The label stands before the choices instead of above them. */
  inline?: boolean;
  value: Value;
  choices: readonly Choice<Value>[];
  onChange: (value: Value) => void;
}

export function Segmented<Value extends string>({
  label,
  help,
  showLabel = true,
  inline = false,
  value,
  choices,
  onChange,
}: SegmentedProps<Value>) {
  const id = useUniqueId();
  const group = useRef<HTMLDivElement>(null);
  const steps: Record<string, number> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

  const onKeyDown = (event: KeyboardEvent) => {
    const step = steps[event.key];
    if (!step) return;
    take(event);
    const at = choices.findIndex((choice) => choice.value === value);
    const next = (at + step + choices.length) % choices.length;
    onChange(choices[next]!.value);
    group.current?.querySelectorAll("button")[next]?.focus();
  };

  return (
    <div class={inline ? "xw-field xw-inline" : "xw-field"}>
      {showLabel && <FieldLabel text={label} id={id} help={help} />}
      <div
        ref={group}
        class="xw-segmented"
        role="radiogroup"
        {...(showLabel ? { "aria-labelledby": id } : { "aria-label": label })}
        onKeyDown={onKeyDown}
      >
        {choices.map((choice) => (
          <button
            key={choice.value}
            type="button"
            role="radio"
            aria-checked={choice.value === value}
            tabIndex={choice.value === value ? 0 : -1}
            title={choice.title}
            onClick={() => onChange(choice.value)}
          >
            {choice.label}
          </button>
        ))}
      </div>
    </div>
  );
}
