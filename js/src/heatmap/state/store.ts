/**
 * The state of one widget in the browser, shared by all its views.
 *
 * Three piles, kept apart: `state` is synced with Python, results are what Python computed, and whatever only
 * one view knows (hover, open menus) lives in the components.
 */
import { batch, computed, effect, signal } from "@preact/signals";
import { formatProbability } from "../../shared/data/format.ts";
import { decodePicture, type Picture } from "../../shared/data/picture.ts";
import { type Bytes, parseSnapshot, toBase64 } from "../../shared/data/wire.ts";
import { Album } from "../../shared/state/album.ts";
import type { Host, Message } from "../../shared/state/host.ts";
import type { RecordedMessage } from "../../shared/state/standin.ts";
import { type StoreOptions, WidgetStore } from "../../shared/state/store.ts";
import type { Status } from "../../shared/types.ts";
import {
  type BriefPrediction,
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
import { type Ask, Comparison } from "./comparison.ts";
import { Depth } from "./depth.ts";
import { decodeMaps, MapCache, type MapSet, questionKey } from "./maps.ts";
import { decodePlaces, type Places, type Pointed } from "./places.ts";
import { recordedMaps, recordedPicture } from "./recorded.ts";
import { Requests } from "./requests.ts";
import { Scales } from "./scales.ts";

const silent = new Album(); // of a model that says nothing

const mostPictures = 256; // kept in the browser; Python sends one again with every answer

export class HeatmapStore extends WidgetStore<HeatmapState> {
  readonly pictures = signal<ReadonlyMap<number, Picture>>(new Map());
  /** Goes up whenever a result arrives. */
  readonly resultVersion = signal(0);
  readonly requests: Requests;
  readonly comparison = new Comparison(this);
  readonly scales = new Scales(this);
  /** Images that a person sees of a gallery. */
  readonly inView = signal<ReadonlySet<number>>(new Set());
  /** The layers between the output and the pixels. */
  readonly depth = new Depth(this);

  /** What models beside the first one say of the images. */
  private readonly others = signal<ReadonlyMap<number, Album>>(new Map());
  private readonly found = signal<ReadonlyMap<number, Places & { message: RecordedMessage }>>(new Map());
  private readonly cache = new MapCache();
  private readonly unwatch: () => void;
  private readonly unfollow: () => void;
  private readonly lastShown = new Map<string, { image: number; set: MapSet }>();

  constructor(host: Host, options: StoreOptions = {}) {
    super(host, initialState, options);
    this.requests = new Requests(this);
    this.loadSnapshot();
    let before = "";
    this.unwatch = effect(() => {
      // Whoever chose what stands beside each other, a person or Python: what is missing is asked for.
      const shown = this.comparison.shown.value;
      const asked = shown.length < 2 ? "" : JSON.stringify(shown.map((ask) => this.question(ask)));
      if (asked && asked !== before) this.requests.askSoon(0);
      before = asked;
    });
    this.unfollow = effect(() => {
      // Of a gallery what a person scrolls to comes first.
      if (this.inView.value.size > 0 && this.comparison.gallery.value) this.requests.resume();
    });
  }

  readonly method = computed<Method | null>(() => {
    const { methods, method } = this.state;
    return methods.value.find(({ name }) => name === method.value) ?? methods.value[0] ?? null;
  });

  readonly picture = computed<Picture | null>(() => this.pictureOf(this.state.image.value));

  /** What can be pointed at in the image. */
  readonly places = computed<Places | null>(() => this.placesOf(this.state.image.value));

  pictureOf(image: number): Picture | null {
    return this.pictures.value.get(image) ?? null;
  }

  placesOf(image: number): Places | null {
    return this.found.value.get(image) ?? null;
  }

  /** What the model of a method says of the images. */
  albumOf(method: Pick<Method, "model"> | null): Album {
    return this.others.value.get(method?.model ?? 0) ?? (method?.model ? silent : this.album);
  }

  /** Where a target is in an image, the present one where none is given. */
  placeOf(target: number | null, image = this.state.image.value): Place {
    return this.state.targets.value.find(({ index }) => index === target)?.places[image] ?? {};
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

  /** What is asked of a method: about the present target and image where none is given. */
  question({ method, target = this.state.target.value, image = this.state.image.value }: Ask): Question {
    const { against, parameters } = this.state;
    return {
      image,
      method: method.name,
      target: method.classes ? target : null,
      against: method.classes ? against.value : null,
      // Only what was changed: Python knows its defaults, and asks itself in the same words.
      parameters: parameters.value[method.name] ?? {},
    };
  }

  /** The result to show, and whether it answers the present question. */
  result(ask: Ask): { set: MapSet | null; current: boolean } {
    this.resultVersion.value; // read, so that whoever asks hears of new results
    const { method } = ask;
    const question = this.question(ask);
    const exact = this.cache.get(questionKey(question, method.classes));
    // Beside others, a target's or an image's picture is its own or none.
    if (ask.target !== undefined || ask.image !== undefined)
      return { set: exact ?? null, current: exact !== undefined };
    if (exact) {
      this.lastShown.set(method.name, { image: question.image, set: exact });
      return { set: exact, current: true };
    }
    // The last good picture stays while the next one is computed: not a late answer to a question in between.
    const last = this.lastShown.get(method.name);
    const set = last?.image === question.image ? last.set : this.cache.newest(question);
    return { set: set ?? null, current: false };
  }

  knows(ask: Ask): boolean {
    return this.cache.get(questionKey(this.question(ask), ask.method.classes))?.final === true;
  }

  hasPicture(image: number): boolean {
    return this.pictures.peek().has(image);
  }

  fits(count: number): boolean {
    return this.cache.fits(count);
  }

  override stop(): void {
    this.requests.halt();
    super.stop();
  }

  /** Of several pictures: how many are there, and whether that is all. */
  protected override described(status: Status): Status {
    const asks = this.comparison.shown.value;
    const { going, halted } = this.requests;
    if (asks.length < 2 || !(going.value || halted.value) || status.state === "error") return status;
    this.resultVersion.value; // read, so that whoever asks hears of new results
    const done = asks.filter((ask) => this.knows(ask)).length;
    if (halted.value && (done === asks.length || status.state === "running")) return status;
    const state = halted.value ? "stopped" : "running";
    return { state, done, total: asks.length, unit: this.comparison.gallery.value ? "images" : "pictures" };
  }

  override hasContent(): boolean {
    return this.pictures.peek().size > 0;
  }

  override recorded(images: "this" | "all"): RecordedMessage[] {
    const own = this.ownImages();
    const held = (image: number) => images === "all" || own.has(image);
    return [
      ...[...this.pictures.value].flatMap(([of, picture]) =>
        held(of) ? [recordedPicture(of, picture)] : [],
      ),
      ...[...this.found.value].flatMap(([of, { message }]) => (held(of) ? [message] : [])),
      ...this.cache.all.flatMap(([of, set]) => (held(of.image) ? [recordedMaps(of, set)] : [])),
      ...this.depth.recorded(held),
      ...[...this.others.value].flatMap(([, album]) => album.recorded("all")),
    ];
  }

  /** The image on screen, and those beside it. */
  private ownImages(): Set<number> {
    const present = this.state.image.value;
    return new Set([present, ...this.comparison.shown.value.map(({ image }) => image ?? present)]);
  }

  override weight(images: "this" | "all"): number | null {
    const picture = this.picture.value;
    if (!picture) return null;
    const own = this.ownImages();
    const here = this.cache.all.filter(([question]) => own.has(question.image));
    const maps = here.reduce((sum, [, { maps: of }]) => sum + of.size, 0);
    // Bytes of colours, and of maps in half precision.
    const bytes = picture.width * picture.height * (3 * own.size + 2 * maps);
    // Where a layer is shown a page has all of them, of every image.
    const layers = this.state.depth.value === null ? [] : (this.depth.layers.value ?? []);
    const cells = layers.reduce((sum, { map }) => sum + (map?.values.length ?? 0), 0);
    return (bytes / own.size + 2 * cells) * (images === "all" ? this.state.images.value : own.size);
  }

  protected override holds(image: number): boolean {
    this.resultVersion.value; // read, so that whoever asks hears of new results
    return this.pictures.value.has(image) && this.cache.all.some(([question]) => question.image === image);
  }

  /** Whether a class can be explained: without a kernel only those can that were. */
  offers(change: Partial<Pick<Question, "target" | "against">>): boolean {
    if (!this.detached.value) return true;
    return this.state.methods.value.some((method) => {
      const asked = { ...this.question({ method }), ...change };
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
    return target.value ?? this.albumOf(this.method.value).prediction(image.value)?.classes[0] ?? null;
  });

  more(): void {
    this.committer.flush();
    this.host.send({ type: "more" });
    this.expectAnswer();
  }

  override dispose(): void {
    this.unwatch();
    this.unfollow();
    this.requests.dispose();
    this.depth.dispose();
    super.dispose();
    this.cache.clear();
    this.lastShown.clear();
    this.pictures.value = new Map();
    this.found.value = new Map();
  }

  protected override receive(message: Message, buffers: Bytes[]): void {
    if (this.hearsOther(message, buffers)) return;
    if (message.type === "picture") this.receivePicture(message as unknown as PictureMessage, buffers);
    else if (message.type === "maps") this.receiveMaps(message as unknown as MapsMessage, buffers);
    else if (message.type === "layers") this.depth.receive(message as unknown as LayersMessage, buffers);
    else if (message.type === "places") this.receivePlaces(message as unknown as PlacesMessage, buffers);
  }

  /** What another model than the first says of images. */
  private hearsOther(message: Message, buffers: Bytes[]): boolean {
    if (typeof message.model !== "number") return false;
    let album = this.others.peek().get(message.model);
    if (!album) {
      album = new Album(message.model, this.album);
      this.others.value = new Map(this.others.peek()).set(message.model, album);
    }
    return album.receive(message, buffers);
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
