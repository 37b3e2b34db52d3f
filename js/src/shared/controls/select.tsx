/** A labelled native select: the host's own look, keyboard and screen reader behaviour. */
import { useUniqueId } from "./id.ts";
import type { Choice } from "./segmented.tsx";

interface SelectProps {
  label: string;
  value: string;
  choices: readonly Choice[];
  onChange: (value: string) => void;
}

export function Select({ label, value, choices, onChange }: SelectProps) {
  const id = useUniqueId();
  return (
    <div class="xw-field xw-inline">
      <label class="xw-label" for={id}>
        {label}
      </label>
      <select
        id={id}
        class="xw-select"
        value={value}
        onChange={(event) => onChange(event.currentTarget.value)}
      >
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.label}
          </option>
        ))}
      </select>
    </div>
  );
}
