/** How much of the heatmap shows over its picture. */
import type { Signal } from "@preact/signals";
import { formatPercent } from "../data/format.ts";
import { help } from "../data/words.ts";
import { Slider } from "./slider.tsx";

interface OpacityProps {
  label: string;
  value: Signal<number>;
  onInput: (value: number) => void;
}

export function Opacity({ label, value, onInput }: OpacityProps) {
  const text = formatPercent(value.value);
  return (
    <Slider
      label={label}
      help={help.opacity}
      value={value.value}
      min={0}
      max={1}
      step={0.01}
      text={text}
      onInput={onInput}
    />
  );
}
