/** What is explained and how, the images, full screen, and light or dark. */
import { Heading } from "../../shared/controls/heading.tsx";
import { Segmented } from "../../shared/controls/segmented.tsx";
import { Select } from "../../shared/controls/select.tsx";
import type { HeatmapStore } from "../state/store.ts";
import { compare } from "../types.ts";
import { useView } from "./context.ts";
import { inWords } from "./words.ts";

const mostTabs = 5; // more methods than this go into a select

export function Header() {
  const { store } = useView();
  const { show } = store.state;
  const method = store.method.value;
  const choices = store.offeredMethods.value.map(({ name, label, help }) => ({
    value: name,
    label,
    title: help?.help ?? "",
  }));
  if (choices.length > 1)
    choices.push({ value: compare, label: "Compare", title: "All methods beside each other" });
  const comparing = show.value === compare && choices.length > 2;
  const value = comparing ? compare : (method?.name ?? "");
  const said = comparing
    ? {
        method: store.offeredMethods.value.map(({ label }) => label).join(", "),
        more: "compared",
        help: undefined,
      }
    : { method: method?.label ?? "", more: method ? inWords(store, method) : "", help: method?.help };
  return (
    <Heading store={store} onImage={(to) => store.ask({ image: to })} {...said}>
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
    </Heading>
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
