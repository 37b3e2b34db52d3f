/** Title, the method on screen, the image of several, and light or dark. */
import { Segmented } from "../../shared/controls/segmented.tsx";
import { Select } from "../../shared/controls/select.tsx";
import { ImageStepper } from "../../shared/controls/stepper.tsx";
import { ThemeSwitch } from "../../shared/controls/theme-switch.tsx";
import type { HeatmapStore } from "../state/store.ts";
import { compare } from "../types.ts";
import { useView } from "./context.ts";

const mostTabs = 5; // more methods than this go into a select

export function Header() {
  const { store } = useView();
  const { title, methods, image, images, show, theme } = store.state;
  const choices = methods.value.map(({ name, label }) => ({ value: name, label }));
  if (choices.length > 1) choices.push({ value: compare, label: "Compare" });
  const value = show.value === compare ? compare : (store.method.value?.name ?? "");
  return (
    <header class="xw-header">
      {title.value && <h2 class="xw-title">{title.value}</h2>}
      {choices.length > mostTabs && (
        <Select label="Method" value={value} choices={choices} onChange={(name) => choose(store, name)} />
      )}
      {choices.length > 1 && choices.length <= mostTabs && (
        <Segmented
          label="Method"
          showLabel={false}
          value={value}
          choices={choices}
          onChange={(name) => choose(store, name)}
        />
      )}
      {!title.value && <span class="xw-space" />}
      {images.value > 1 && (
        <ImageStepper image={image.value} images={images.value} onChange={(to) => store.ask({ image: to })} />
      )}
      <ThemeSwitch theme={theme.value} onChange={(choice) => store.set("theme", choice)} />
    </header>
  );
}

function choose(store: HeatmapStore, name: string): void {
  if (name === compare) {
    store.set("show", compare);
    store.requests.askSoon(0);
    return;
  }
  const first = store.state.methods.peek().find((method) => method.name === name)?.views[0];
  // Coming from the comparison, there is no view to keep.
  if (first && store.state.show.peek() === compare) store.set("show", first.name);
  store.ask({ method: name });
}
