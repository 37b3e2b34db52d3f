/** A number to type. What cannot be read as a number, or is out of bounds, leaves the value as it was. */
import { useUniqueId } from "./id.ts";

interface NumberInputProps {
  label: string;
  value: number;
  min?: number;
  max?: number;
  step?: number | "any";
  unit?: string;
  /** Whether the label is only said, not shown. */
  quiet?: boolean;
  onChange: (value: number) => void;
}

export function NumberInput({
  label,
  value,
  min,
  max,
  step = "any",
  unit,
  quiet,
  onChange,
}: NumberInputProps) {
  const id = useUniqueId();
  const accept = (input: HTMLInputElement) => {
    const typed = input.valueAsNumber;
    const fits = Number.isFinite(typed) && typed >= (min ?? -Infinity) && typed <= (max ?? Infinity);
    if (fits) onChange(typed);
    else input.value = String(value);
  };
  return (
    <span class="xw-number">
      <label class={quiet ? "xw-hidden" : "xw-label"} for={id}>
        {label}
      </label>
      <input
        id={id}
        class="xw-input"
        type="number"
        value={value}
        min={min}
        max={max}
        step={step}
        onChange={(event) => accept(event.currentTarget)}
      />
      {unit && <span class="xw-unit">{unit}</span>}
    </span>
  );
}
