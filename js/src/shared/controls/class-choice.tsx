/** A class, by name where there are names, else by number; or none in particular. */
import { Combobox } from "./combobox.tsx";
import { NumberInput } from "./number.tsx";

interface ClassChoiceProps {
  label: string;
  names: readonly string[];
  value: number | null;
  /** What no class in particular means. */
  none: string;
  onChange: (value: number | null) => void;
}

export function ClassChoice({ label, names, value, none, onChange }: ClassChoiceProps) {
  if (names.length === 0) {
    const empty = { text: none, choose: () => onChange(null) };
    const choose = (typed: number) => onChange(Math.round(typed));
    return <NumberInput label={label} value={value} min={0} step={1} empty={empty} onChange={choose} />;
  }
  const choices = names.map((name, index) => ({ value: String(index), label: name }));
  return (
    <Combobox
      label={label}
      value={value === null ? "" : String(value)}
      choices={[{ value: "", label: none }, ...choices]}
      onChange={(chosen) => onChange(chosen === "" ? null : Number(chosen))}
    />
  );
}
