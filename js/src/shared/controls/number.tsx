/** A number to type. What cannot be read as a number, or is out of bounds, leaves the value as it was. */
import type { Help } from "../types.ts";
import { FieldLabel } from "./help.tsx";
import { useUniqueId } from "./id.ts";

interface NumberInputProps {
  label: string;
  help?: Help | undefined;
  /** null where nothing is given. */
  value: number | null;
  min?: number;
  max?: number;
  step?: number | "any";
  unit?: string;
  /** Whether the label is only said, not shown. */
  quiet?: boolean;
  /** What stands in the empty field, and what emptying it does; without, it cannot be empty. */
  empty?: { text: string; choose: () => void };
  onChange: (value: number) => void;
}

export function NumberInput({
  label,
  help,
  value,
  min,
  max,
  step = "any",
  unit,
  quiet,
  empty,
  onChange,
}: NumberInputProps) {
  const id = useUniqueId();
  const accept = (input: HTMLInputElement) => {
    if (empty && input.value === "" && !input.validity.badInput) return empty.choose();
    const typed = input.valueAsNumber;
    const fits = Number.isFinite(typed) && typed >= (min ?? -Infinity) && typed <= (max ?? Infinity);
    if (fits) onChange(typed);
    else input.value = String(value ?? "");
  };
  return (
    <span class="xw-number">
      {quiet ? (
        <label class="xw-hidden" for={id}>
          {label}
        </label>
      ) : (
        <FieldLabel text={label} of={id} help={help} />
      )}
      <input
        id={id}
        class="xw-input"
        type="number"
        value={value ?? ""}
        placeholder={empty?.text}
        min={min}
        max={max}
        step={step}
        onChange={(event) => accept(event.currentTarget)}
      />
      {unit && <span class="xw-unit">{unit}</span>}
    </span>
  );
}
