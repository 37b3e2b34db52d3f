/** Yes or no. */
interface CheckboxProps {
  label: string;
  value: boolean;
  onChange: (value: boolean) => void;
}

export function Checkbox({ label, value, onChange }: CheckboxProps) {
  return (
    <label class="xw-checkbox">
      <input type="checkbox" checked={value} onChange={(event) => onChange(event.currentTarget.checked)} />
      {label}
    </label>
  );
}
