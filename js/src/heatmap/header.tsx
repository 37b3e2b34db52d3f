/** Title, the method on screen, the image of several, and light or dark. */
import { Segmented } from "../shared/controls/segmented.tsx";
import { Select } from "../shared/controls/select.tsx";
import { useView } from "./context.ts";
import type { HeatmapStore } from "./store.ts";
import { compare } from "./types.ts";

const mostTabs = 5; // more methods than this go into a select

export function Header() {
  const { store } = useView();
  const { title, methods, images, show } = store.state;
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
      {images.value > 1 && <ImageStepper />}
      <ThemeSwitch />
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

function ImageStepper() {
  const { store } = useView();
  const { image, images } = store.state;
  const go = (to: number) => store.ask({ image: Math.min(images.value - 1, Math.max(0, to)) });
  return (
    <span class="xw-stepper" role="group" aria-label="Image">
      <button
        type="button"
        class="xw-button xw-icon"
        aria-label="Previous image"
        disabled={image.value <= 0}
        onClick={() => go(image.value - 1)}
      >
        ‹
      </button>
      <span aria-live="polite">
        image {image.value + 1} of {images.value}
      </span>
      <button
        type="button"
        class="xw-button xw-icon"
        aria-label="Next image"
        disabled={image.value >= images.value - 1}
        onClick={() => go(image.value + 1)}
      >
        ›
      </button>
    </span>
  );
}

const themes = { auto: "light", light: "dark", dark: "auto" } as const;

function ThemeSwitch() {
  const { store } = useView();
  const { theme } = store.state;
  return (
    <button
      type="button"
      class="xw-button xw-icon xw-theme"
      data-choice={theme.value}
      aria-label={`Theme: ${theme.value}. Press for ${themes[theme.value]}.`}
      title={`Theme: ${theme.value}`}
      onClick={() => store.set("theme", themes[theme.value])}
    >
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.5" />
        {theme.value === "auto" && <path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor" />}
        {theme.value === "dark" && <circle cx="8" cy="8" r="6" fill="currentColor" />}
      </svg>
    </button>
  );
}
