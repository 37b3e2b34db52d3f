/** A labelled slider with its value beside it; linear or logarithmic. */

import type { Help } from "../types.ts";
import { useGesture } from "./gesture.ts";
import { FieldLabel } from "./help.tsx";
import { useUniqueId } from "./id.ts";

interface SliderProps {
  label: string;
  help?: Help | undefined;
  value: number;
  min: number;
  max: number;
  step?: number;
  log?: boolean;
  /** The value as people read it; also what a screen reader says, unless `said` is. */
  text: string;
  said?: string;
  disabled?: boolean;
  onInput: (value: number) => void;
}

const logSteps = 200;

export function Slider({
  label,
  help,
  value,
  min,
  max,
  step = 0.01,
  log = false,
  text,
  said = text,
  disabled,
  onInput,
}: SliderProps) {
  const id = useUniqueId();
  const gesture = useGesture();
  // A logarithmic slider moves in equal ratios; its native range is the number of the step.
  const isLog = log && min > 0 && max > min;
  const ratio = Math.log(max / min);
  const position = isLog ? Math.round((Math.log(value / min) / ratio) * logSteps) : value;
  const read = (raw: number) =>
    isLog ? Number((min * Math.exp((raw / logSteps) * ratio)).toPrecision(3)) : raw;
  const low = isLog ? 0 : min;
  const high = isLog ? logSteps : max;
  const fill = high > low ? ((position - low) / (high - low)) * 100 : 0;
  return (
    <div class="xw-field">
      <FieldLabel text={label} of={id} help={help} />
      <output class="xw-value" for={id}>
        {text}
      </output>
      <input
        id={id}
        class="xw-slider"
        type="range"
        min={low}
        max={high}
        step={isLog ? 1 : step}
        value={position}
        disabled={disabled}
        aria-valuetext={said}
        style={{ "--xw-fill": `${fill}%` }}
        onInput={(event) => onInput(read(event.currentTarget.valueAsNumber))}
        {...gesture}
      />
    </div>
  );
}
