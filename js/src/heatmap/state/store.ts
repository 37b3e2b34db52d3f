/**
 * The state of one widget in the browser, shared by all its views.
 *
 * Three piles, kept apart: `state` is synced with Python, results are what Python computed, and whatever only
 * one view knows (hover, open menus) lives in the components.
 */
import { batch, computed, signal } from "@preact/signals";
import { decodePicture, type Picture, pictureBytes } from "../../shared/data/picture.ts";
import { type Bytes, parseSnapshot, toBase64 } from "../../shared/data/wire.ts";
import type { Host, Message } from "../../shared/state/host.ts";
import type { RecordedMessage } from "../../shared/state/standin.ts";
import { WidgetStore } from "../../shared/state/store.ts";
import {
  type HeatmapState,
  initialState,
  type MapsMessage,
  type Method,
  type ParameterValue,
  type PictureMessage,
  type Question,
} from "../types.ts";
import { decodeMaps, MapCache, type MapSet, questionKey } from "./maps.ts";
import { Requests } from "./requests.ts";

const mostPictures = 64; // kept in the browser; Python sends one again with every answer

export class HeatmapStore extends WidgetStore<HeatmapState> {
  readonly pictures = signal<ReadonlyMap<number, Picture>>(new Map());
  /** Goes up whenever a result arrives. */
  readonly resultVersion = signal(0);
  readonly requests: Requests;

  private readonly cache = new MapCache();
  private readonly lastShown = new Map<string, { image: number; set: MapSet }>();

  constructor(host: Host, options: { standalone?: boolean } = {}) {
    super(host, initialState, options);
    this.requests = new Requests(this);
    this.loadSnapshot();
  }

  readonly method = computed<Method | null>(() => {
    const { methods, method } = this.state;
    return methods.value.find(({ name }) => name === method.value) ?? methods.value[0] ?? null;
  });

  readonly picture = computed<Picture | null>(() => this.pictures.value.get(this.state.image.value) ?? null);

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

  override hasContent(): boolean {
    return this.pictures.peek().size > 0;
  }

  override recorded(): RecordedMessage[] {
    const messages: RecordedMessage[] = [];
    for (const [image, picture] of this.pictures.value) {
      const shape = [picture.height, picture.width, 3];
      messages.push({
        content: { type: "picture", image, shape },
        buffers: [toBase64(pictureBytes(picture))],
      });
    }
    for (const method of this.state.methods.value) {
      const { set } = this.result(method);
      if (!set) continue;
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
          ...this.question(method),
          maps: headers,
          shared_range: set.sharedRange,
          final: true,
        },
        buffers: maps.map(({ bytes }) => toBase64(bytes)),
      });
    }
    return messages;
  }

  more(): void {
    this.committer.flush();
    this.host.send({ type: "more" });
    this.expectAnswer();
  }

  override dispose(): void {
    this.requests.dispose();
    super.dispose();
    this.cache.clear();
    this.lastShown.clear();
    this.pictures.value = new Map();
  }

  protected override receive(message: Message, buffers: Bytes[]): void {
    if (message.type === "picture") this.receivePicture(message as unknown as PictureMessage, buffers);
    else if (message.type === "maps") this.receiveMaps(message as unknown as MapsMessage, buffers);
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
