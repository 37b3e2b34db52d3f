/** A class, by name where there are names, else by number; or none in particular. The most probable ones come first. */
import { useMemo } from "preact/hooks";
import { formatNumber, formatProbability } from "../data/format.ts";
import type { Prediction } from "../state/album.ts";
import type { Help } from "../types.ts";
import { Combobox, type RatedChoice } from "./combobox.tsx";
import { NumberInput } from "./number.tsx";

interface ClassChoiceProps {
  label: string;
  help?: Help | undefined;
  names: readonly string[];
  value: number | null;
  /** What no class in particular means. */
  none: string;
  /** What the model says of the image. */
  prediction?: Prediction | null;
  /** Classes that can be chosen, where not all can. */
  offered?: ((index: number | null) => boolean) | undefined;
  onChange: (value: number | null) => void;
}

export function ClassChoice(props: ClassChoiceProps) {
  const { label, help, names, value, none, prediction = null, offered, onChange } = props;
  const choices = useMemo(() => {
    // One score alone is of one class: there is nothing to choose, and nothing to hold it against.
    if (names.length === 1) return [{ value: "", label: none }];
    const rated = ratedClasses(names, prediction);
    const all = [{ value: "", label: none }, ...rated];
    return offered ? all.filter((choice) => offered(choice.value === "" ? null : Number(choice.value))) : all;
  }, [names, prediction, none, offered]);
  if (names.length === 0) {
    const empty = { text: none, choose: () => onChange(null) };
    const choose = (typed: number) => onChange(Math.round(typed));
    return (
      <NumberInput label={label} help={help} value={value} min={0} step={1} empty={empty} onChange={choose} />
    );
  }
  return (
    <Combobox
      label={label}
      help={help}
      value={value === null || names.length === 1 ? "" : String(value)}
      choices={choices}
      onChange={(chosen) => onChange(chosen === "" ? null : Number(chosen))}
    />
  );
}

/** What it means to choose no class: the one that the model predicts, or the only one that there is. */
export function noClass(names: readonly string[], predicted: number | undefined): string {
  if (names.length === 1) return names[0]!;
  return predicted === undefined
    ? "predicted class"
    : `predicted: ${names[predicted] ?? `class ${predicted}`}`;
}

/** All classes, those that the model rates highest first, with its numbers. */
export function ratedClasses(names: readonly string[], prediction: Prediction | null): RatedChoice[] {
  const plain = (index: number) => ({ value: String(index), label: names[index] ?? `class ${index}` });
  if (!prediction) return names.map((_, index) => plain(index));
  const { kind, classes, shares } = prediction;
  const rated = Array.from(classes, (index, i) => ({
    ...plain(index),
    said: kind === "probability" ? formatProbability(shares[i]!) : formatNumber(shares[i]!),
    ...(kind === "probability" ? { share: shares[i]! } : {}),
  }));
  const known = new Set(classes);
  return [...rated, ...names.flatMap((_, index) => (known.has(index) ? [] : [plain(index)]))];
}
