/**
 * The state of one widget in the browser, shared by all its views.
 *
 * Three piles, kept apart: `state` is synced with Python, results are what Python computed, and whatever only
 * one view knows (hover, open menus) lives in the components.
 */
import { batch, computed, signal } from "@preact/signals";
import { formatProbability } from "../../shared/data/format.ts";
import { decodePicture, type Picture, pictureBytes } from "../../shared/data/picture.ts";
import { type Bytes, parseSnapshot, toBase64 } from "../../shared/data/wire.ts";
import type { Host, Message } from "../../shared/state/host.ts";
import type { RecordedMessage } from "../../shared/state/standin.ts";
import { type StoreOptions, WidgetStore } from "../../shared/state/store.ts";
import {
  type BriefPrediction,
  besideTargets,
  compare,
  type FoundBox,
  type HeatmapState,
  initialState,
  type LayersMessage,
  type MapsMessage,
  type Method,
  type ParameterValue,
  type PictureMessage,
  type Place,
  type PlacesMessage,
  type Question,
} from "../types.ts";
import { Depth } from "./depth.ts";
import { decodeMaps, MapCache, type MapSet, questionKey } from "./maps.ts";
import { decodePlaces, type Places, type Pointed } from "./places.ts";
import { Requests, type Shown } from "./requests.ts";

const mostTargets = 6; // beside each other
const mostPictures = 64; // kept in the browser; Python sends one again with every answer

export class HeatmapStore extends WidgetStore<HeatmapState> {
  readonly pictures = signal<ReadonlyMap<number, Picture>>(new Map());
  /** Goes up whenever a result arrives. */
  readonly resultVersion = signal(0);
  readonly requests: Requests;
  /** The layers between the output and the pixels. */
  readonly depth = new Depth(this);

  private readonly found = signal<ReadonlyMap<number, Places & { message: RecordedMessage }>>(new Map());
  private readonly cache = new MapCache();
  private readonly lastShown = new Map<string, { image: number; set: MapSet }>();

  constructor(host: Host, options: StoreOptions = {}) {
    super(host, initialState, options);
    this.requests = new Requests(this);
    this.loadSnapshot();
  }

  readonly method = computed<Method | null>(() => {
    const { methods, method } = this.state;
    return methods.value.find(({ name }) => name === method.value) ?? methods.value[0] ?? null;
  });

  readonly picture = computed<Picture | null>(() => this.pictures.value.get(this.state.image.value) ?? null);

  /** What can be pointed at in the image. */
  readonly places = computed<Places | null>(() => this.found.value.get(this.state.image.value) ?? null);

  /** Targets that have a name and can be asked of the image, and whatever else was put beside them. */
  readonly listed = computed<readonly number[]>(() => {
    const { targets, beside, image } = this.state;
    const named = targets.value
      .filter(({ places }) => Object.keys(places).length === 0 || String(image.value) in places)
      .map(({ index }) => index);
    return [...new Set([...named, ...beside.value])];
  });

  /** The targets that stand beside each other: those chosen, else all that are listed. */
  readonly compared = computed<readonly (number | null)[]>(() => {
    const { beside, target } = this.state;
    const chosen = (beside.value.length ? beside.value : this.listed.value).slice(0, mostTargets);
    return chosen.length ? chosen : [target.value];
  });

  readonly shown = computed<readonly Shown[]>(() => {
    const { show, methods } = this.state;
    const method = this.method.value;
    if (show.value === compare) return methods.value.map((each) => ({ method: each }));
    if (!method) return [];
    if (show.value !== besideTargets || !method.classes) return [{ method }];
    return this.compared.value.map((target) => ({ method, target }));
  });

  /** Where a target is in the image. */
  placeOf(target: number | null): Place {
    const { targets, image } = this.state;
    return targets.value.find(({ index }) => index === target)?.places[image.value] ?? {};
  }

  /** Whether the target is this box. */
  isAsked({ box, label }: FoundBox): boolean {
    const { target } = this.state;
    const place = target.value === null ? undefined : this.placeOf(target.value).box;
    const named = target.value === null ? "" : this.className(target.value);
    return (
      place?.every((side, i) => Math.abs(side - box[i]!) < 0.01) === true &&
      named.startsWith(this.className(label))
    );
  }

  boxLabel(label: number, share: number): string {
    return `${this.className(label)} ${formatProbability(share)}`;
  }

  /** Asks about a place of the image: it becomes a target, which has a name. */
  askAbout(pointed: Pointed): void {
    this.committer.flush();
    this.host.send({ type: "ask", image: this.state.image.peek(), ...pointed });
    this.expectAnswer();
  }

  /** Chooses what stands side by side. */
  compare(targets: readonly number[]): void {
    this.set("beside", [...targets]);
    if (this.state.show.peek() === besideTargets) this.requests.askSoon(0);
  }

  /** Shows the targets side by side, or one picture again. */
  together(on: boolean): void {
    this.set("show", on ? besideTargets : (this.method.peek()?.views[0]?.name ?? ""));
    this.requests.askSoon(0);
  }

  setParameter(method: string, name: string, value: ParameterValue): void {
    const { parameters } = this.state;
    const of = { ...parameters.peek()[method], [name]: value };
    this.set("parameters", { ...parameters.peek(), [method]: of });
    this.requests.askSoon();
  }

  /** Changes what is asked about, and asks unless the answer is known. */
  ask(change: Partial<Pick<HeatmapState, "image" | "method" | "target" | "against">>): void {
    batch(() => {
      // What was pointed at in one image is not in another.
      const { image, targets, target } = this.state;
      const places = targets.peek().find(({ index }) => index === target.peek())?.places ?? {};
      const leaves = change.image !== undefined && change.image !== image.peek();
      if (leaves && Object.keys(places).length > 0 && !(String(change.image) in places))
        this.set("target", null);
      for (const [name, value] of Object.entries(change)) this.set(name as "image", value as number);
    });
    this.requests.askSoon(0);
  }

  /** What is asked of a method: about the present target where none is given. */
  question(method: Method, target?: number | null): Question {
    const { image, against, parameters } = this.state;
    return {
      image: image.value,
      method: method.name,
      target: !method.classes ? null : target === undefined ? this.state.target.value : target,
      against: method.classes ? against.value : null,
      // Only what was changed: Python knows its defaults, and asks itself in the same words.
      parameters: parameters.value[method.name] ?? {},
    };
  }

  /** The result to show, and whether it answers the present question. */
  result(method: Method, target?: number | null): { set: MapSet | null; current: boolean } {
    this.resultVersion.value; // read, so that whoever asks hears of new results
    const question = this.question(method, target);
    const exact = this.cache.get(questionKey(question, method.classes));
    // Beside others, a target's picture is its own or none.
    if (target !== undefined) return { set: exact ?? null, current: exact !== undefined };
    if (exact) {
      this.lastShown.set(method.name, { image: question.image, set: exact });
      return { set: exact, current: true };
    }
    // The last good picture stays while the next one is computed: not a late answer to a question in between.
    const last = this.lastShown.get(method.name);
    const set = last?.image === question.image ? last.set : this.cache.newest(question);
    return { set: set ?? null, current: false };
  }

  knows({ method, target }: Shown): boolean {
    return this.cache.get(questionKey(this.question(method, target), method.classes))?.final === true;
  }

  override hasContent(): boolean {
    return this.pictures.peek().size > 0;
  }

  override recorded(images: "this" | "all"): RecordedMessage[] {
    const image = this.state.image.value;
    const messages: RecordedMessage[] = [];
    for (const [of, picture] of this.pictures.value) {
      if (images === "this" && of !== image) continue;
      const shape = [picture.height, picture.width, 3];
      messages.push({
        content: { type: "picture", image: of, shape },
        buffers: [toBase64(pictureBytes(picture))],
      });
    }
    for (const [of, { message }] of this.found.value)
      if (images === "all" || of === image) messages.push(message);
    messages.push(...this.depth.recorded(images === "this" ? image : null));
    for (const [question, set] of this.cache.all) {
      if (images === "this" && question.image !== image) continue;
      const maps = [...set.maps.values()];
      const headers = maps.map(({ name, height, width, extent }) => ({
        name,
        dtype: "float32",
        shape: [height, width],
        range: extent,
      }));
      messages.push({
        content: {
          type: "maps",
          ...question,
          maps: headers,
          shared_range: set.sharedRange,
          notes: set.notes,
          unit: set.unit,
          final: true,
        },
        buffers: maps.map(({ bytes }) => toBase64(bytes)),
      });
    }
    return messages;
  }

  override weight(images: "this" | "all"): number | null {
    const picture = this.picture.value;
    if (!picture) return null;
    const image = this.state.image.value;
    const here = this.cache.all.filter(([question]) => question.image === image);
    const maps = here.reduce((sum, [, { maps: of }]) => sum + of.size, 0);
    // Bytes of colours, and of maps in half precision.
    const own = picture.width * picture.height * (3 + 2 * maps);
    return own * (images === "all" ? this.state.images.value : 1);
  }

  protected override holds(image: number): boolean {
    this.resultVersion.value; // read, so that whoever asks hears of new results
    return this.pictures.value.has(image) && this.cache.all.some(([question]) => question.image === image);
  }

  /** Whether a class can be explained: without a kernel only those can that were. */
  offers(change: Partial<Pick<Question, "target" | "against">>): boolean {
    if (!this.detached.value) return true;
    return this.state.methods.value.some((method) => {
      const asked = { ...this.question(method), ...change };
      return this.cache.get(questionKey(asked, method.classes)) !== undefined;
    });
  }

  /** Methods that can be shown: without a kernel only those that were computed for the image. */
  readonly offeredMethods = computed<readonly Method[]>(() => {
    const { methods, image } = this.state;
    if (!this.detached.value) return methods.value;
    this.resultVersion.value; // read, so that whoever asks hears of new results
    const known = this.cache.all.filter(([question]) => question.image === image.value);
    return methods.value.filter(
      (method) => method === this.method.value || known.some(([question]) => question.method === method.name),
    );
  });

  /** The class explained: the one asked for, else the predicted one; null where nobody knows. */
  readonly explained = computed<number | null>(() => {
    const { target, image } = this.state;
    return target.value ?? this.album.prediction(image.value)?.classes[0] ?? null;
  });

  more(): void {
    this.committer.flush();
    this.host.send({ type: "more" });
    this.expectAnswer();
  }

  override dispose(): void {
    this.requests.dispose();
    this.depth.dispose();
    super.dispose();
    this.cache.clear();
    this.lastShown.clear();
    this.pictures.value = new Map();
    this.found.value = new Map();
  }

  protected override receive(message: Message, buffers: Bytes[]): void {
    if (message.type === "picture") this.receivePicture(message as unknown as PictureMessage, buffers);
    else if (message.type === "maps") this.receiveMaps(message as unknown as MapsMessage, buffers);
    else if (message.type === "layers") this.depth.receive(message as unknown as LayersMessage, buffers);
    else if (message.type === "places") this.receivePlaces(message as unknown as PlacesMessage, buffers);
  }

  private receivePicture(message: PictureMessage, [bytes]: Bytes[]): void {
    if (!bytes) return;
    const pictures = new Map(this.pictures.peek());
    pictures.delete(message.image);
    pictures.set(message.image, decodePicture(message, bytes));
    if (pictures.size > mostPictures) pictures.delete(pictures.keys().next().value!);
    this.pictures.value = pictures;
  }

  private receivePlaces(message: PlacesMessage, buffers: Bytes[]): void {
    const places = decodePlaces(message, buffers);
    const recorded = { content: { ...message }, buffers: buffers.map(toBase64) };
    this.found.value = new Map(this.found.peek()).set(message.image, { ...places, message: recorded });
  }

  private receiveMaps(message: MapsMessage, buffers: Bytes[]): void {
    const method = this.state.methods.peek().find(({ name }) => name === message.method);
    if (!method) return;
    const set = decodeMaps(message, buffers);
    this.remember(message, method, set);
    if (set.final) this.requests.answered();
  }

  /** Keeps a result under the question that it says it answers: one for an older question is not shown. */
  private remember(question: Question, method: Method, set: MapSet): void {
    const asked = { ...question, parameters: question.parameters ?? {} };
    this.cache.put(questionKey(asked, method.classes), { ...set, question: asked });
    this.resultVersion.value++;
  }

  /** What a saved notebook kept, so that there is something to see before, or without, a kernel. */
  private loadSnapshot(): void {
    const snapshot = parseSnapshot(this.state.snapshot.peek());
    if (!snapshot) return;
    const { header } = snapshot;
    const method = this.state.methods.peek().find(({ name }) => name === header.method) ?? this.method.peek();
    const buffers = [...snapshot.buffers];
    try {
      const image = typeof header.image === "number" ? header.image : this.state.image.peek();
      if (header.picture) {
        const picture = decodePicture(header.picture as unknown as PictureMessage, buffers.shift()!);
        this.pictures.value = new Map([[image, picture]]);
      }
      if (header.maps && method) {
        const set = decodeMaps(header as unknown as MapsMessage, buffers);
        const { target = null, against = null, parameters = {} } = header as Partial<Question>;
        const asked = { image, method: method.name, target, against, parameters };
        // Not final: the kernel has the full resolution and will be asked.
        this.remember(asked, method, { ...set, final: false });
      }
      if (header.prediction) this.recall(header.prediction as BriefPrediction);
    } catch (error) {
      console.warn("xaiwidgets: the saved picture could not be read", error);
    }
  }

  private recall({ image, kind, label, classes, shares }: BriefPrediction): void {
    this.album.know(image, {
      kind,
      label,
      classes: Int32Array.from(classes),
      shares: Float32Array.from(shares),
    });
  }
}
