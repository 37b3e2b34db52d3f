/** What is asked of the model: the class, the class it is held against, and the method's own settings. */

import { Checkbox } from "../shared/controls/checkbox.tsx";
import { Combobox } from "../shared/controls/combobox.tsx";
import { NumberInput } from "../shared/controls/number.tsx";
import { Select } from "../shared/controls/select.tsx";
import { Slider } from "../shared/controls/slider.tsx";
import { formatNumber } from "../shared/format.ts";
import { useView } from "./context.ts";
import type { Control, Method, ParameterValue } from "./types.ts";

export function ClassChoice({ contrast }: { contrast: boolean }) {
  const { store } = useView();
  const { class_names, target, against } = store.state;
  const classes = class_names.value.map((name, i) => ({ value: String(i), label: `${name}` }));
  if (classes.length === 0) return <ClassNumber />;
  const read = (value: string) => (value === "" ? null : Number(value));
  return (
    <section class="xw-classes" aria-label="Class">
      <Combobox
        label="Class"
        value={target.value === null ? "" : String(target.value)}
        choices={[{ value: "", label: "predicted class" }, ...classes]}
        onChange={(value) => store.ask({ target: read(value) })}
      />
      {contrast && (
        <Combobox
          label="Against"
          value={against.value === null ? "" : String(against.value)}
          choices={[{ value: "", label: "nothing" }, ...classes]}
          onChange={(value) => store.ask({ against: read(value) })}
        />
      )}
    </section>
  );
}

/** A model without class names: its classes are numbers. */
function ClassNumber() {
  const { store } = useView();
  const { target } = store.state;
  return (
    <div class="xw-field xw-inline">
      <NumberInput
        label="Class"
        value={target.value ?? 0}
        min={0}
        step={1}
        onChange={(value) => store.ask({ target: Math.round(value) })}
      />
    </div>
  );
}

export function MethodSettings({ method, open }: { method: Method; open: boolean }) {
  const { store } = useView();
  if (method.controls.length === 0) return null;
  const values = store.state.parameters.value[method.name] ?? {};
  return (
    <details class="xw-settings" open={open}>
      <summary>{method.label} settings</summary>
      <div class="xw-settings-body">
        {method.controls.map((control) => (
          <Setting
            key={control.name}
            control={control}
            value={values[control.name] ?? control.value}
            onChange={(value) => store.setParameter(method.name, control.name, value)}
          />
        ))}
      </div>
    </details>
  );
}

interface SettingProps {
  control: Control;
  value: ParameterValue;
  onChange: (value: ParameterValue) => void;
}

function Setting({ control, value, onChange }: SettingProps) {
  const { label, type, min, max, step, log } = control;
  if (type === "bool") return <Checkbox label={label} value={Boolean(value)} onChange={onChange} />;
  if (type === "choice") {
    const options = (control.options ?? []).map((option) =>
      typeof option === "object" ? option : { value: String(option), label: String(option) },
    );
    return <Select label={label} value={String(value)} choices={options} onChange={onChange} />;
  }
  const whole = type === "int";
  const read = (raw: number) => (whole ? Math.round(raw) : raw);
  const number = Number(value);
  if (min === undefined || max === undefined) {
    return (
      <div class="xw-field xw-inline">
        <NumberInput label={label} value={number} onChange={(typed) => onChange(read(typed))} />
      </div>
    );
  }
  return (
    <Slider
      label={label}
      value={number}
      min={min}
      max={max}
      step={step ?? (whole ? 1 : (max - min) / 100)}
      log={log ?? false}
      text={formatNumber(number)}
      onInput={(raw) => onChange(read(raw))}
    />
  );
}
