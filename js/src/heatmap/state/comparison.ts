/** What stands on screen: one picture, or several beside each other; by method, class, image or model, or a gallery of all images. */
import { computed, type ReadonlySignal } from "@preact/signals";
import type { WidgetStore } from "../../shared/state/store.ts";
import {
  besideImages,
  besideModels,
  besideTargets,
  compare,
  gallery,
  type HeatmapState,
  type Method,
} from "../types.ts";

/** What is asked of a method: about the present class and image where none is given. */
export interface Ask {
  method: Method;
  target?: number | null;
  image?: number;
}

export type By = "method" | "class" | "image" | "model";
/** What stands beside another: a method or a model by its method's name, a class or an image by its number. */
export type Entry = string | number;

export const shows: Record<By, string> = {
  method: compare,
  class: besideTargets,
  image: besideImages,
  model: besideModels,
};
export const most = 6; // beside each other, where a person chooses
const few = 4; // images, where nobody chose
const told = 5; // classes offered of what the model says

/** The part of the widget's state that decides what is compared. */
export interface Compared extends WidgetStore<HeatmapState> {
  readonly method: ReadonlySignal<Method | null>;
  readonly offeredMethods: ReadonlySignal<readonly Method[]>;
}

export class Comparison {
  constructor(private readonly store: Compared) {}

  /** What is compared; null where nothing is. */
  readonly by = computed<By | null>(() => {
    const { show, images } = this.store.state;
    const method = this.store.method.value;
    const by = (Object.keys(shows) as By[]).find((each) => shows[each] === show.value) ?? null;
    if (by === "class" && !method?.classes) return null;
    if (by === "method" && this.store.offeredMethods.value.length < 2) return null;
    return by === "image" && images.value < 2 ? null : by;
  });

  readonly gallery = computed(() => this.store.state.show.value === gallery);

  /** Whether several pictures are to be held against each other. */
  readonly several = computed(() => this.by.value !== null || this.gallery.value);

  /** Targets that have a name and can be asked of the image, and whatever else was put beside them. */
  readonly listed = computed<readonly number[]>(() => {
    const { targets, beside, image } = this.store.state;
    const named = targets.value
      .filter(({ places }) => Object.keys(places).length === 0 || String(image.value) in places)
      .map(({ index }) => index);
    return [...new Set([...named, ...beside.value])];
  });

  /** Targets that no list of classes offers: taken off the list, or pointed at in other images alone. */
  readonly unlisted = computed<ReadonlySet<number>>(() => {
    const { targets, forgotten, image } = this.store.state;
    const elsewhere = targets.value.filter(
      ({ places }) => Object.keys(places).length > 0 && !(String(image.value) in places),
    );
    return new Set([...forgotten.value, ...elsewhere.map(({ index }) => index)]);
  });

  /** The targets that stand beside each other: those chosen, else all that are listed, else the present one. */
  readonly targets = computed<readonly (number | null)[]>(() => {
    const { beside, target } = this.store.state;
    const chosen = (beside.value.length ? beside.value : this.listed.value).slice(0, most);
    return chosen.length ? chosen : [target.value];
  });

  readonly images = computed<readonly number[]>(() => {
    const { beside_images, images } = this.store.state;
    if (beside_images.value.length) return beside_images.value.slice(0, most);
    return Array.from({ length: Math.min(few, images.value) }, (_, i) => i);
  });

  /** One method a model, of the kind of the present one. */
  readonly models = computed<readonly Method[]>(() => {
    const present = this.store.method.value;
    const offered = this.store.offeredMethods.value;
    if (!present) return [];
    const each = new Map([[present.model ?? 0, present]]);
    for (const other of offered)
      if (kindOf(other) === kindOf(present) && !each.has(other.model ?? 0)) each.set(other.model ?? 0, other);
    return offered.filter((method) => each.get(method.model ?? 0) === method);
  });

  /** What the pictures on screen answer. */
  readonly shown = computed<readonly Ask[]>(() => {
    const method = this.store.method.value;
    if (!method) return [];
    if (this.gallery.value)
      return Array.from({ length: this.store.state.images.value }, (_, image) => ({ method, image }));
    const by = this.by.value;
    if (by === "method" || by === "model") return this.methods(by).map((each) => ({ method: each }));
    if (by === "class") return this.targets.value.map((target) => ({ method, target }));
    if (by === "image") return this.images.value.map((image) => ({ method, image }));
    return [{ method }];
  });

  private methods(by: "method" | "model"): readonly Method[] {
    const offered = by === "model" ? this.models.value : this.store.offeredMethods.value;
    const { beside_methods } = this.store.state;
    const chosen = offered.filter(({ name }) => beside_methods.value.includes(name));
    return (chosen.length > (by === "model" ? 1 : 0) ? chosen : offered).slice(0, most);
  }

  /** What there is to compare. */
  readonly ways = computed<readonly By[]>(() => {
    const { images, class_names } = this.store.state;
    const method = this.store.method.value;
    const there: Record<By, boolean> = {
      method: this.store.offeredMethods.value.length > 1,
      class: method?.classes === true && (class_names.value.length > 1 || this.listed.value.length > 0),
      image: images.value > 1,
      model: this.models.value.length > 1,
    };
    return (Object.keys(there) as By[]).filter((by) => there[by]);
  });

  /** What stands beside each other, or would. */
  chosen(by: By): readonly Entry[] {
    if (by === "class") return this.targets.value.filter((target) => target !== null);
    if (by === "image") return this.images.value;
    return this.methods(by).map(({ name }) => name);
  }

  /** What can be chosen: of classes those that have a name or stand there, and what the model says of the image. */
  offered(by: By, said: Iterable<number>): readonly Entry[] {
    if (by === "image") return Array.from({ length: this.store.state.images.value }, (_, image) => image);
    if (by === "class") return [...new Set([...this.listed.value, ...[...said].slice(0, told)])];
    return (by === "model" ? this.models : this.store.offeredMethods).value.map(({ name }) => name);
  }

  /** Chooses what stands beside each other; the difference follows the pictures that it is of. */
  choose(by: By, entries: readonly Entry[]): void {
    const { difference } = this.store.state;
    const pair = difference.peek()?.map((place) => entries.indexOf(this.chosen(by)[place]!));
    if (pair && by === this.by.peek())
      this.store.set("difference", pair.includes(-1) ? null : (pair as [number, number]));
    if (by === "class") this.store.set("beside", entries as number[]);
    else if (by === "image") this.store.set("beside_images", entries as number[]);
    else this.store.set("beside_methods", entries as string[]);
  }

  /** Puts one beside the others, or takes it away; at most six stand there. */
  toggle(by: By, entry: Entry): void {
    const chosen = this.chosen(by);
    const without = chosen.filter((other) => other !== entry);
    if (without.length < chosen.length) this.choose(by, without);
    else if (chosen.length < most) this.choose(by, [...chosen, entry]);
  }

  /** Takes a target off the list: of those beside each other first, so that a difference stays that of its pictures. */
  forget(index: number): void {
    const chosen = this.chosen("class");
    const rest = chosen.filter((other) => other !== index);
    if (rest.length === 0 && this.by.peek() === "class") this.start(null);
    else if (rest.length < chosen.length) this.choose("class", rest);
    this.store.committer.flush();
    this.store.host.send({ type: "forget", index });
  }

  /** Shows them; without a way one picture again. */
  start(by: By | "gallery" | null): void {
    const { state, method } = this.store;
    const one = method.peek()?.views[0]?.name ?? "";
    if (by !== this.by.peek()) this.store.set("difference", null);
    // With one class alone there is nothing to compare: the next one that the model says comes beside it.
    this.store.set("show", by === null ? one : by === "gallery" ? gallery : shows[by]);
    if (by === "class" && state.beside.peek().length === 0 && this.listed.peek().length < 2) {
      const said = this.store.album.prediction(state.image.peek())?.classes ?? [];
      const first = state.target.peek();
      const two = [...new Set([...(first === null ? [] : [first]), ...said])].slice(0, 2);
      if (two.length === 2) this.store.set("beside", two);
    }
  }
}

/** What a method itself is called, by whatever name a person has it. */
export function kindOf({ method, name }: Method): string {
  return method ?? name;
}
