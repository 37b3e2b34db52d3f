/**
 * The state of one widget in the browser, shared by all its views.
 *
 * Three piles, kept apart: `state` is synced with Python, results are what Python computed, and whatever only
 * one view knows (hover, open menus) lives in the components.
 */
import { batch, computed, type Signal, signal } from "@preact/signals";
import { Committer } from "../shared/commit.ts";
import type { Host, Message } from "../shared/host.ts";
import { type Bytes, parseSnapshot } from "../shared/wire.ts";
import { decodeMaps, decodePicture, MapCache, type MapSet, type Picture, questionKey } from "./maps.ts";
import { Requests } from "./requests.ts";
import {
  type ExportMessage,
  type HeatmapState,
  initialState,
  type MapsMessage,
  type Method,
  type ParameterValue,
  type PictureMessage,
  type Question,
  type Status,
} from "./types.ts";

type Signals = { readonly [K in keyof HeatmapState]: Signal<HeatmapState[K]> };

/** How things stand with the kernel: not known yet, answering, not answering, or none by design. */
export type Connection = "waiting" | "live" | "silent" | "none";

const mostPictures = 64; // kept in the browser; Python sends one again with every answer
const patience = 6000; // ms without an answer before we say that the kernel does not answer

export class HeatmapStore {
  readonly state: Signals;
  readonly connection: Signal<Connection>;
  readonly pictures = signal<ReadonlyMap<number, Picture>>(new Map());
  /** Goes up whenever a result arrives. */
  readonly resultVersion = signal(0);
  readonly requests: Requests;
  readonly committer: Committer;
  /** Who waits for a file that Python writes. */
  onExport: ((message: ExportMessage, bytes: Bytes | undefined) => void) | null = null;

  private readonly cache = new MapCache();
  private readonly lastShown = new Map<string, { image: number; set: MapSet }>();
  /** Whether there was a kernel at all since the widget appeared. */
  everLive = false;
  private answerTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly host: Host,
    options: { standalone?: boolean } = {},
  ) {
    this.connection = signal<Connection>(options.standalone ? "none" : "waiting");
    const signals: Record<string, Signal<unknown>> = {};
    for (const name of Object.keys(initialState) as (keyof HeatmapState)[]) {
      const value = signal<unknown>(host.get(name) ?? initialState[name]);
      signals[name] = value;
      host.onChange(name, () => {
        // What the person is changing right now wins over what the kernel says.
        if (this.committer.holds(name)) return;
        const news = host.get(name) ?? initialState[name];
        if (same(value.peek(), news)) return;
        value.value = news;
        this.heard();
      });
    }
    this.state = signals as unknown as Signals;
    this.committer = new Committer((values) => host.commit(values));
    this.requests = new Requests(this);
    host.onMessage((message, buffers) => this.receive(message, buffers));
    host.onConnectionChange(() => {
      if (this.connection.peek() === "live") this.connection.value = "waiting";
      this.hello();
    });
    this.loadSnapshot();
  }

  readonly method = computed<Method | null>(() => {
    const { methods, method } = this.state;
    return methods.value.find(({ name }) => name === method.value) ?? methods.value[0] ?? null;
  });

  readonly picture = computed<Picture | null>(() => this.pictures.value.get(this.state.image.value) ?? null);

  /** What is being computed; without a kernel nothing is, whatever was saved. */
  readonly progress = computed<Status>(() => {
    const status = this.state.status.value;
    return status.state === "running" && !this.canCompute.value ? { ...status, state: "stopped" } : status;
  });

  readonly busy = computed(() => this.progress.value.state === "running");

  /** Whether new numbers can be asked for. */
  readonly canCompute = computed(
    () => this.connection.value === "waiting" || this.connection.value === "live",
  );

  /** Changes a value that the person sees; Python learns of it when the gesture is over. */
  set<K extends keyof HeatmapState>(name: K, value: HeatmapState[K]): void {
    if (same(this.state[name].peek(), value)) return;
    this.state[name].value = value;
    this.committer.change(name, value);
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
      for (const [name, value] of Object.entries(change)) this.set(name as "image", value as number);
    });
    this.requests.askSoon(0);
  }

  question(method: Method): Question {
    const { image, target, against, parameters } = this.state;
    return {
      image: image.value,
      method: method.name,
      target: method.classes ? target.value : null,
      against: method.classes ? against.value : null,
      // Only what was changed: Python knows its defaults, and asks itself in the same words.
      parameters: parameters.value[method.name] ?? {},
    };
  }

  /** The result to show for a method, and whether it answers the present question. */
  result(method: Method): { set: MapSet | null; current: boolean } {
    this.resultVersion.value; // read, so that whoever asks hears of new results
    const question = this.question(method);
    const exact = this.cache.get(questionKey(question, method.classes));
    if (exact) {
      this.lastShown.set(method.name, { image: question.image, set: exact });
      return { set: exact, current: true };
    }
    // The last good picture stays while the next one is computed: not a late answer to a question in between.
    const last = this.lastShown.get(method.name);
    const set = last?.image === question.image ? last.set : this.cache.newest(question);
    return { set: set ?? null, current: false };
  }

  knows(method: Method): boolean {
    return this.cache.get(questionKey(this.question(method), method.classes))?.final === true;
  }

  /** A view was opened: ask for the picture, unless another view has it already. */
  hello(): void {
    if (this.connection.peek() === "live" && this.pictures.peek().size > 0) return;
    this.host.send({ type: "ready" });
    this.expectAnswer();
  }

  stop(): void {
    this.host.send({ type: "stop" });
  }

  more(): void {
    this.committer.flush();
    this.host.send({ type: "more" });
    this.expectAnswer();
  }

  /** Starts the clock after which we say that nobody answers. */
  expectAnswer(): void {
    if (this.connection.peek() === "none") return;
    clearTimeout(this.answerTimer);
    this.answerTimer = setTimeout(() => {
      this.connection.value = "silent";
    }, patience);
  }

  dispose(): void {
    clearTimeout(this.answerTimer);
    this.requests.dispose();
    this.committer.dispose();
    this.host.dispose();
    this.cache.clear();
    this.lastShown.clear();
    this.pictures.value = new Map();
  }

  /** Python spoke, whatever it said. */
  private heard(): void {
    clearTimeout(this.answerTimer);
    if (this.connection.peek() === "none") return;
    this.connection.value = "live";
    this.everLive = true;
  }

  private receive(message: Message, buffers: Bytes[]): void {
    this.heard();
    try {
      if (message.type === "picture") this.receivePicture(message as unknown as PictureMessage, buffers);
      else if (message.type === "maps") this.receiveMaps(message as unknown as MapsMessage, buffers);
      else if (message.type === "export") this.onExport?.(message as unknown as ExportMessage, buffers[0]);
    } catch (error) {
      // A damaged message must not take down the widget; the last good picture stays.
      console.warn("xaiwidgets: a message could not be read", error);
    }
  }

  private receivePicture(message: PictureMessage, [bytes]: Bytes[]): void {
    if (!bytes) return;
    const pictures = new Map(this.pictures.peek());
    pictures.delete(message.image);
    pictures.set(message.image, decodePicture(message, bytes));
    if (pictures.size > mostPictures) pictures.delete(pictures.keys().next().value!);
    this.pictures.value = pictures;
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
    this.cache.put(questionKey(asked, method.classes), set);
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
        const asked = { ...this.question(method), ...header, image } as Question;
        // Not final: the kernel has the full resolution and will be asked.
        this.remember(asked, method, { ...set, final: false });
      }
    } catch (error) {
      console.warn("xaiwidgets: the saved picture could not be read", error);
    }
  }
}

/** Equal as JSON: traits are small, and a new object with equal content is no change. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (ArrayBuffer.isView(a) || ArrayBuffer.isView(b)) return false;
  return JSON.stringify(a) === JSON.stringify(b);
}
