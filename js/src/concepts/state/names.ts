/** Names and notes that people give to concepts, with the way back from the last change. */
import { computed, signal } from "@preact/signals";
import { same, type WidgetStore } from "../../shared/state/store.ts";
import type { ConceptsState, Label } from "../types.ts";

export class Names {
  /** What concepts were called before they were last renamed in this browser. */
  private readonly former = signal<ReadonlyMap<string, Label>>(new Map());

  constructor(private readonly store: WidgetStore<ConceptsState>) {}

  private readonly labelled = computed(
    () => new Map(this.store.state.labels.value.map((label) => [keyOf(label.layer, label.concept), label])),
  );

  label(layer: string, concept: number): Label | null {
    return this.labelled.value.get(keyOf(layer, concept)) ?? null;
  }

  /** The name a person gave, else the layer's word for it and its number. */
  nameOf(layer: string, concept: number): string {
    const kind = this.store.state.layers.value.find(({ name }) => name === layer)?.kind ?? "concept";
    return this.label(layer, concept)?.name || `${kind} ${concept}`;
  }

  /** The name and note before the last change; null where nothing was changed. */
  before(layer: string, concept: number): Label | null {
    return this.former.value.get(keyOf(layer, concept)) ?? null;
  }

  /** Gives a name and a note; Python writes them to the file beside the index. */
  rename(label: Label): void {
    const { labels } = this.store.state;
    const { layer, concept } = label;
    const others = labels.peek().filter((l) => l.layer !== layer || l.concept !== concept);
    const changed = label.name || label.note ? [...others, label] : others;
    if (same(changed, labels.peek())) return;
    const was = this.label(layer, concept) ?? { layer, concept, name: "", note: "" };
    this.former.value = new Map(this.former.peek()).set(keyOf(layer, concept), was);
    labels.value = changed;
    this.store.host.send({ type: "label", ...label });
    this.store.expectAnswer();
  }
}

function keyOf(layer: string, concept: number): string {
  return `${layer}\n${concept}`;
}
