/** What is asked of the model: the class, the class it is held against, and the method's own settings. */
import { useCallback } from "preact/hooks";
import { Checkbox } from "../../shared/controls/checkbox.tsx";
import { ClassChoice, noClass } from "../../shared/controls/class-choice.tsx";
import { NumberInput } from "../../shared/controls/number.tsx";
import { Select } from "../../shared/controls/select.tsx";
import { Slider } from "../../shared/controls/slider.tsx";
import { formatNumber } from "../../shared/data/format.ts";
import { help } from "../../shared/data/words.ts";
import type { Control, Method, ParameterValue } from "../types.ts";
import { useView } from "./context.ts";

export function Classes({ contrast }: { contrast: boolean }) {
  const { store } = useView();
  const { class_names, target, against, image } = store.state;
  const names = class_names.value;
  const prediction = store.albumOf(store.method.value).prediction(image.value);
  const first = prediction?.classes[0];
  const offered = useOffered("target");
  const rivals = useOffered("against");
  return (
    <section class="xw-classes" aria-label="Class">
      <ClassChoice
        label="Class"
        help={help.class}
        names={names}
        value={target.value}
        none={noClass(names, first)}
        prediction={prediction}
        offered={offered}
        onChange={(value) => store.ask({ target: value })}
      />
      {contrast && (
        <ClassChoice
          label="Against"
          help={help.against}
          names={names}
          value={against.value}
          none="nothing"
          prediction={prediction}
          offered={rivals}
          onChange={(value) => store.ask({ against: value })}
        />
      )}
    </section>
  );
}

/** Which classes can be asked about, where not all can: with the same ones it stays the same, as a list of a thousand is not made anew. */
function useOffered(of: "target" | "against"): ((index: number | null) => boolean) | undefined {
  const { store } = useView();
  const unlisted = store.comparison.unlisted.value;
  const saved = store.detached.value;
  store.resultVersion.value; // read, so that a list without a kernel hears of new results
  const present = store.state[of].value;
  const listed = useCallback(
    (index: number | null) => index === null || index === present || !unlisted.has(index),
    [unlisted, present],
  );
  if (saved) return (index) => listed(index) && store.offers({ [of]: index });
  return unlisted.size > 0 ? listed : undefined;
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
  const { label, help, type, min, max, step, log } = control;
  if (type === "bool")
    return <Checkbox label={label} help={help} value={Boolean(value)} onChange={onChange} />;
  if (type === "choice") {
    const options = (control.options ?? []).map((option) =>
      typeof option === "object" ? option : { value: String(option), label: String(option) },
    );
    return <Select label={label} help={help} value={String(value)} choices={options} onChange={onChange} />;
  }
  const whole = type === "int";
  const read = (raw: number) => (whole ? Math.round(raw) : raw);
  const number = Number(value);
  if (min === undefined || max === undefined) {
    return (
      <div class="xw-field xw-inline">
        <NumberInput label={label} help={help} value={number} onChange={(typed) => onChange(read(typed))} />
      </div>
    );
  }
  return (
    <Slider
      label={label}
      help={help}
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
