/** A labelled native select: the host's own look, keyboard and screen reader behaviour. */
import type { Help } from "../types.ts";
import { FieldLabel } from "./help.tsx";
import { useUniqueId } from "./id.ts";
import type { Choice } from "./segmented.tsx";

interface SelectProps {
  label: string;
  help?: Help | undefined;
  value: string;
  choices: readonly Choice[];
  onChange: (value: string) => void;
}

export function Select({ label, help, value, choices, onChange }: SelectProps) {
  const id = useUniqueId();
  return (
    <div class="xw-field xw-inline">
      <FieldLabel text={label} of={id} help={help} />
      <select
        id={id}
        class="xw-select"
        value={value}
        onChange={(event) => onChange(event.currentTarget.value)}
      >
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value} title={choice.title}>
            {choice.label}
          </option>
        ))}
      </select>
    </div>
  );
}
