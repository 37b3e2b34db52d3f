/** Yes or no. */
import type { Help } from "../types.ts";
import { HelpButton } from "./help.tsx";

interface CheckboxProps {
  label: string;
  help?: Help | undefined;
  value: boolean;
  onChange: (value: boolean) => void;
}

export function Checkbox({ label, help, value, onChange }: CheckboxProps) {
  return (
    <span class="xw-checkbox">
      <label>
        <input type="checkbox" checked={value} onChange={(event) => onChange(event.currentTarget.checked)} />
        {label}
      </label>
      <HelpButton of={label} help={help} />
    </span>
  );
}
