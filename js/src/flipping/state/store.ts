/** The state of one widget in the browser, shared by all its views: traits, curves by request, orders, frames. */
import { batch, computed, type ReadonlySignal, signal } from "@preact/signals";
import { clamp } from "../../shared/data/numbers.ts";
import { decodePicture, type Picture, pictureBytes } from "../../shared/data/picture.ts";
import { type Bytes, parsePackets, toBase64 } from "../../shared/data/wire.ts";
import type { Host, Message } from "../../shared/state/host.ts";
import type { RecordedMessage } from "../../shared/state/standin.ts";
import { type StoreOptions, WidgetStore } from "../../shared/state/store.ts";
import {
  type CurveOrder,
  type CurvesMessage,
  type FlippingState,
  type FrameMessage,
  type GaeMessage,
  initialState,
  type MapMessage,
  type PictureMessage,
  type Request,
  random,
} from "../types.ts";
import { Curves } from "./curves.ts";
import { FrameCache } from "./frames.ts";
import { Looks } from "./looks.ts";
import { PatchOrder } from "./patches.ts";

const mostCurves = 16;
const mostPictures = 64;
const mostOrders = 256;
const mostFrames = 24e6; // bytes of frames in a page that Python writes

export function requestKey({ order, perturb, patch, target, score }: Request): string {
  return JSON.stringify([order, perturb, patch, target, score]);
}

export class FlippingStore extends WidgetStore<FlippingState> {
  readonly pictures = signal<ReadonlyMap<number, Picture>>(new Map());
  readonly gae = signal<GaeMessage | null>(null);
  readonly frames = new FrameCache();
  /** Goes up whenever a frame arrives. */
  readonly frameVersion = signal(0);
  private readonly curves = signal<ReadonlyMap<string, Curves>>(new Map());
  private readonly orders = signal<ReadonlyMap<string, PatchOrder>>(new Map());
  private readonly looks: Looks;
  private lastShown: Curves | null = null;

  constructor(host: Host, options: StoreOptions = {}) {
    super(host, initialState, options);
    this.looks = new Looks(this);
    this.loadSnapshot();
    this.looks.start();
  }

  readonly request: ReadonlySignal<Request> = computed(() => {
    const { order, perturb, patch, target, score } = this.state;
    return {
      order: order.value,
      perturb: perturb.value,
      patch: patch.value,
      target: target.value,
      score: score.value,
    };
  });

  /** The curves on screen, and whether they answer the present request: the last good ones stay until the next come. */
  readonly shown: ReadonlySignal<{ curves: Curves | null; current: boolean }> = computed(() => {
    const exact = this.curves.value.get(requestKey(this.request.value));
    if (exact) this.lastShown = exact;
    return { curves: exact ?? this.lastShown, current: exact !== undefined };
  });

  readonly picture = computed<Picture | null>(() => this.pictures.value.get(this.state.image.value) ?? null);

  /** The step on screen: fewer patches have fewer steps. */
  readonly step = computed(() =>
    Math.min(this.state.step.value, this.shown.value.curves?.steps ?? this.state.step.value),
  );

  /** All methods of which there may be a curve, the baseline last. */
  readonly methods = computed(() => [...this.state.methods.value, random]);

  readonly visible = computed(() => {
    const { hidden, order } = this.state;
    const methods = order.value === "random" ? [random] : this.methods.value;
    return methods.filter((method) => !hidden.value.includes(method));
  });

  /** The method whose heatmap and frames are on screen. */
  readonly method = computed(() => {
    const chosen = this.state.method.value;
    return this.visible.value.includes(chosen) ? chosen : (this.visible.value[0] ?? random);
  });

  /** Orders whose frames stand beside each other. */
  readonly frameOrders = computed<CurveOrder[]>(() => {
    const { order } = this.state;
    if (this.method.value === random || order.value === "random") return ["morf"];
    return order.value === "both" ? ["morf", "lerf"] : [order.value];
  });

  readonly image = computed(() => (this.state.scope.value === "mean" ? null : this.state.image.value));

  /** Changes what is asked about; Python is told at once, and begins. */
  ask(change: Partial<Request & Pick<FlippingState, "image">>): void {
    batch(() => {
      for (const [name, value] of Object.entries(change)) this.set(name as "image", value as number);
    });
    if (!this.canCompute.peek()) return;
    this.committer.flush();
    if (!this.shown.peek().current) this.expectAnswer();
  }

  goTo(step: number): void {
    const steps = this.shown.peek().curves?.steps ?? 0;
    this.set("step", clamp(Math.round(step), 0, steps));
  }

  toggle(method: string): void {
    const { hidden } = this.state;
    const without = hidden.peek().filter((name) => name !== method);
    this.set("hidden", without.length < hidden.peek().length ? without : [...without, method]);
    this.committer.flush();
  }

  /** Goes on after a stop. */
  goOn(): void {
    this.committer.flush();
    this.host.send({ type: "compute" });
    this.expectAnswer();
  }

  computeGae(): void {
    this.committer.flush();
    this.host.send({ type: "gae" });
    this.expectAnswer();
  }

  /** The order of the patches of the image on screen by a method; reading it subscribes. */
  order(method: string): PatchOrder | null {
    const { patch, target, image } = this.state;
    return this.orders.value.get(orderKey(patch.value, target.value, image.value, method)) ?? null;
  }

  /** The image on screen after a step, as the model sees it; null until it was made. Reading it subscribes. */
  frame(order: CurveOrder, step: number): Picture | null {
    this.frameVersion.value;
    if (step === 0) return this.picture.value;
    return this.frames.get(this.frameAt(order, step));
  }

  frameAt(order: CurveOrder, step: number) {
    const { perturb, patch, target, image } = this.state;
    return {
      perturb: perturb.value,
      patch: patch.value,
      target: target.value,
      image: image.value,
      method: this.method.value,
      order,
      step,
    };
  }

  override hasContent(): boolean {
    return this.curves.peek().size > 0;
  }

  protected override holds(image: number): boolean {
    const { curves } = this.shown.value;
    return this.pictures.value.has(image) && (curves?.has(image) ?? false);
  }

  override weight(images: "this" | "all"): number | null {
    const picture = this.picture.value;
    const { curves } = this.shown.value;
    if (!picture || !curves) return null;
    const pixels = picture.width * picture.height;
    const count = images === "all" ? this.state.images.value : 1;
    const methods = this.methods.value.length;
    // The picture, a heatmap and an order of patches a method; frames as far as Python has room for them.
    const frames = count * methods * this.frameOrders.value.length * curves.steps * pixels * 3;
    return count * pixels * (3 + 4 * methods) + Math.min(mostFrames, frames);
  }

  override recorded(images: "this" | "all"): RecordedMessage[] {
    const messages: RecordedMessage[] = [];
    const on = this.state.image.value;
    for (const [image, picture] of this.pictures.value) {
      if (images === "this" && image !== on) continue;
      const content = { type: "picture", image, shape: [picture.height, picture.width, 3] };
      messages.push({ content, buffers: [toBase64(pictureBytes(picture))] });
    }
    for (const kept of [...this.curves.value.values(), ...this.orders.value.values()]) {
      const { content, buffers } = kept.recorded();
      messages.push({ content: { ...content }, buffers: buffers.map(toBase64) });
    }
    for (const { content, buffers } of this.frames.recorded())
      if (images === "all" || content.image === on) messages.push({ content: { ...content }, buffers });
    if (this.gae.value) messages.push({ content: { ...this.gae.value } });
    return messages;
  }

  override dispose(): void {
    this.looks.dispose();
    super.dispose();
    this.frames.clear();
    this.curves.value = this.orders.value = this.pictures.value = new Map();
    this.lastShown = null;
  }

  protected override receive(message: Message, buffers: Bytes[]): void {
    const [first] = buffers;
    if (message.type === "curves") {
      const header = message as unknown as CurvesMessage;
      this.curves.value = put(
        this.curves.peek(),
        requestKey(header),
        new Curves(header, buffers),
        mostCurves,
      );
    } else if (message.type === "picture" && first) {
      const header = message as unknown as PictureMessage;
      this.pictures.value = put(
        this.pictures.peek(),
        header.image,
        decodePicture(header, first),
        mostPictures,
      );
    } else if (message.type === "map") {
      const header = message as unknown as MapMessage;
      const key = orderKey(header.patch, header.target, header.image, header.method);
      this.orders.value = put(this.orders.peek(), key, new PatchOrder(header, buffers), mostOrders);
    } else if (message.type === "frame" && first) {
      this.frames.put(message as unknown as FrameMessage, first);
      this.frameVersion.value++;
    } else if (message.type === "gae") this.gae.value = message as unknown as GaeMessage;
    else if (message.type === "forget") this.forget();
  }

  /** Another explanation took a method's place: what was made of the old one is not the new one's. */
  private forget(): void {
    this.frames.clear();
    this.frameVersion.value++;
    this.orders.value = new Map();
    this.gae.value = null;
    // The curves on screen stay, as those of an older question, until the new ones come.
    this.curves.value = new Map();
  }

  /** What a saved notebook kept, so that there is something to see before, or without, a kernel. */
  private loadSnapshot(): void {
    for (const { content, buffers } of parsePackets(this.state.snapshot.peek())) {
      try {
        if (!this.album.receive(content as Message, buffers)) this.receive(content as Message, buffers);
      } catch (error) {
        console.warn("xaiwidgets: the saved picture could not be read", error);
      }
    }
    // Curves of another question than the state's are better than none.
    this.lastShown = [...this.curves.peek().values()].at(-1) ?? null;
  }
}

function orderKey(patch: number, target: number | null, image: number, method: string): string {
  return JSON.stringify([patch, target, image, method]);
}

/** A map with one more entry, the newest last, without the oldest where there are too many. */
function put<K, V>(map: ReadonlyMap<K, V>, key: K, value: V, most: number): ReadonlyMap<K, V> {
  const next = new Map(map);
  next.delete(key);
  next.set(key, value);
  if (next.size > most) next.delete(next.keys().next().value as K);
  return next;
}
