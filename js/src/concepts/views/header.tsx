/** What is asked: the image, the class and the class it is held against, the layer; the search for a concept; how heatmaps look. */
import { AppearanceChoice } from "../../shared/controls/appearance.tsx";
import { ClassChoice, noClass } from "../../shared/controls/class-choice.tsx";
import { Combobox } from "../../shared/controls/combobox.tsx";
import { Heading } from "../../shared/controls/heading.tsx";
import { Opacity } from "../../shared/controls/opacity.tsx";
import { help } from "../../shared/data/words.ts";
import { useStore } from "./context.ts";

export function Header() {
  const store = useStore();
  const about = store.state.about.value;
  const layer = store.layer.value;
  return (
    <>
      <Heading
        store={store}
        method={about.label}
        help={about}
        more={layer ? `concepts of ${layer.name}` : ""}
        onImage={(to) => store.ask({ image: to })}
      />
      <div class="xw-questions" role="group" aria-label="What is asked">
        <Classes />
        <LayerChoice />
        <Search />
      </div>
      <div class="xw-appearance" role="group" aria-label="Appearance">
        <Opacity
          label="Opacity"
          value={store.state.opacity}
          onInput={(value) => store.set("opacity", value)}
        />
        <AppearanceChoice store={store} />
      </div>
    </>
  );
}

function Classes() {
  const store = useStore();
  const { class_names, target, against, image } = store.state;
  const prediction = store.album.prediction(image.value);
  const first = prediction?.classes[0];
  const offered = (change: { target?: number | null; against?: number | null }) =>
    !store.detached.value || store.offers(change);
  return (
    <>
      <ClassChoice
        label="Class"
        help={help.class}
        names={class_names.value}
        value={target.value}
        none={noClass(class_names.value, first)}
        prediction={prediction}
        offered={(index) => offered({ target: index })}
        onChange={(value) => store.ask({ target: value })}
      />
      {class_names.value.length > 0 && (
        <ClassChoice
          label="Against"
          help={help.against}
          names={class_names.value}
          value={against.value}
          none="nothing"
          prediction={prediction}
          offered={(index) => offered({ against: index })}
          onChange={(value) => store.ask({ against: value })}
        />
      )}
    </>
  );
}

function LayerChoice() {
  const store = useStore();
  const choices = store.state.layers.value.map(({ name }) => ({ value: name, label: name }));
  return (
    <Combobox
      label="Layer"
      help={help.layer}
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
