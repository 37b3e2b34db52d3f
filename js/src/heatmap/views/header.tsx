/** What is explained and how, the images, full screen, and light or dark. */
import { Heading } from "../../shared/controls/heading.tsx";
import { Segmented } from "../../shared/controls/segmented.tsx";
import { Select } from "../../shared/controls/select.tsx";
import type { HeatmapStore } from "../state/store.ts";
import { CompareButton, GalleryButton } from "./compare.tsx";
import { useView } from "./context.ts";
import { inWords } from "./words.ts";

const mostTabs = 5; // more methods than this go into a select

export function Header() {
  const { store } = useView();
  const { comparison } = store;
  const method = store.method.value;
  const choices = store.offeredMethods.value.map(({ name, label, help }) => ({
    value: name,
    label,
    title: help?.help ?? "",
  }));
  const comparing = comparison.by.value === "method" || comparison.by.value === "model";
  const value = method?.name ?? "";
  const said = comparing
    ? {
        method: comparison.shown.value.map(({ method: each }) => each.label).join(", "),
        more: "compared",
        help: undefined,
      }
    : { method: method?.label ?? "", more: method ? inWords(store, method) : "", help: method?.help };
  const explained = comparing ? comparison.shown.value.map(({ method: each }) => each) : [method];
  const models = explained.map((each) => each?.model_name || store.state.model_name.value);
  // Shift and a press put an image beside others.
  const beside =
    comparison.by.value === "image" ? comparison.images.value : store.state.images.value > 1 ? [] : undefined;
  const toggle = (image: number) => {
    const first = store.state.image.peek();
    if (comparison.by.peek() !== "image") {
      comparison.choose("image", [...new Set([first, image])]);
      comparison.start("image");
    } else comparison.toggle("image", image);
  };
  return (
    <Heading
      store={store}
      album={store.albumOf(method)}
      model={[...new Set(models)].join(", ")}
      {...(beside ? { beside: { images: beside, toggle } } : {})}
      onImage={(to) => store.ask({ image: to })}
      {...said}
    >
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
      <CompareButton />
      <GalleryButton />
    </Heading>
  );
}

function choose(store: HeatmapStore, name: string): void {
  // Coming from the comparison of methods, one of them is shown.
  if (["method", "model"].includes(store.comparison.by.peek() ?? "")) store.comparison.start(null);
  store.ask({ method: name });
}
