/** What is asked: the image, the class and the class it is held against, the layer; and the search for a concept. */
import { Combobox } from "../../shared/controls/combobox.tsx";
import { NumberInput } from "../../shared/controls/number.tsx";
import { ImageStepper } from "../../shared/controls/stepper.tsx";
import { ThemeSwitch } from "../../shared/controls/theme-switch.tsx";
import { useStore } from "./context.ts";

export function Header() {
  const store = useStore();
  const { title, image, images, theme } = store.state;
  return (
    <>
      <header class="xw-header">
        {title.value ? <h2 class="xw-title">{title.value}</h2> : <span class="xw-space" />}
        {images.value > 1 && (
          <ImageStepper
            image={image.value}
            images={images.value}
            onChange={(to) => store.ask({ image: to })}
          />
        )}
        <ThemeSwitch theme={theme.value} onChange={(choice) => store.set("theme", choice)} />
      </header>
      <div class="xw-questions" role="group" aria-label="What is asked">
        <ClassChoice />
        <LayerChoice />
        <Search />
      </div>
    </>
  );
}

function ClassChoice() {
  const store = useStore();
  const { class_names, target, against } = store.state;
  const classes = class_names.value.map((name, i) => ({ value: String(i), label: name }));
  const read = (value: string) => (value === "" ? null : Number(value));
  const shown = (value: number | null) => (value === null ? "" : String(value));
  if (classes.length === 0) {
    const explained = store.focus.value.result?.target;
    return (
      <div class="xw-field xw-inline">
        <NumberInput
          label="Class"
          value={target.value ?? (typeof explained === "number" ? explained : 0)}
          min={0}
          step={1}
          onChange={(value) => store.ask({ target: Math.round(value) })}
        />
      </div>
    );
  }
  return (
    <>
      <Combobox
        label="Class"
        value={shown(target.value)}
        choices={[{ value: "", label: "predicted class" }, ...classes]}
        onChange={(value) => store.ask({ target: read(value) })}
      />
      <Combobox
        label="Against"
        value={shown(against.value)}
        choices={[{ value: "", label: "nothing" }, ...classes]}
        onChange={(value) => store.ask({ against: read(value) })}
      />
    </>
  );
}

function LayerChoice() {
  const store = useStore();
  const choices = store.state.layers.value.map(({ name }) => ({ value: name, label: name }));
  return (
    <Combobox
      label="Layer"
      value={store.layer.value?.name ?? ""}
      choices={choices}
      onChange={(name) => store.go(name, null)}
    />
  );
}

/** Names and notes of all layers, and the numbers of this one. */
function Search() {
  const store = useStore();
  const layer = store.layer.value;
  const named = store.state.labels.value.map(({ layer: of, concept, name, note }) => ({
    value: JSON.stringify([of, concept]),
    label: [name || `concept ${concept}`, `${of} ${concept}`, note].filter(Boolean).join(" · "),
  }));
  const taken = new Set(named.map(({ value }) => value));
  const numbered = Array.from({ length: layer?.units ?? 0 }, (_, concept) => ({
    value: JSON.stringify([layer!.name, concept]),
    label: `${layer!.kind} ${concept}`,
  })).filter(({ value }) => !taken.has(value));
  return (
    <Combobox
      label="Search"
      value=""
      placeholder="name, note or number"
      choices={[...named, ...numbered]}
      onChange={(value) => store.go(...(JSON.parse(value) as [string, number]))}
    />
  );
}
