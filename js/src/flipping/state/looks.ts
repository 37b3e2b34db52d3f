/** Asks Python for what there is to see and is not here yet: the picture, orders of patches, frames around the cursor. */
import { effect, type ReadonlySignal } from "@preact/signals";
import type { Picture } from "../../shared/data/picture.ts";
import type { WidgetStore } from "../../shared/state/store.ts";
import type { CurveOrder, FlippingState, Request } from "../types.ts";
import type { Curves } from "./curves.ts";
import type { FrameCache, FrameKey } from "./frames.ts";
import type { PatchOrder } from "./patches.ts";

const wholeCurve = 6e6; // pixels; a curve of small frames is fetched to its end
const around = 8; // steps to each side, of larger ones
const patience = 2000; // ms after which what did not come is asked for again

/** The part of the widget's state that decides what to ask for. */
export interface Looking extends WidgetStore<FlippingState> {
  readonly request: ReadonlySignal<Request>;
  readonly shown: ReadonlySignal<{ curves: Curves | null; current: boolean }>;
  readonly step: ReadonlySignal<number>;
  readonly method: ReadonlySignal<string>;
  readonly visible: ReadonlySignal<string[]>;
  readonly frameOrders: ReadonlySignal<CurveOrder[]>;
  readonly pictures: ReadonlySignal<ReadonlyMap<number, Picture>>;
  readonly frames: FrameCache;
  readonly frameVersion: ReadonlySignal<number>;
  frameAt(order: CurveOrder, step: number): FrameKey;
  order(method: string): PatchOrder | null;
}

export class Looks {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stop: () => void = () => undefined;
  /** What is under way, and since when. */
  private asked = new Set<string>();
  private askedAt = 0;
  /** The step that stands first in the queue. */
  private first = "";

  constructor(private readonly store: Looking) {}

  start(): void {
    const { store } = this;
    this.stop = effect(() => {
      // Read, so that a change of any of them looks again.
      void [store.request.value, store.state.image.value, store.method.value, store.step.value];
      void [store.shown.value, store.visible.value, store.canCompute.value, store.frameVersion.value];
      this.soon(0);
    });
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.stop();
  }

  private soon(pause: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), pause);
  }

  private look(): void {
    const { store } = this;
    const { current, curves } = store.shown.peek();
    // Before Python spoke, "ready" is under way, which is answered with all this.
    if (store.connection.peek() !== "live") return;
    const image = store.state.image.peek();
    const picture = !store.pictures.peek().has(image);
    const known = current && curves !== null;
    const maps = known ? this.missingOrders() : [];
    const steps = known ? this.missingSteps() : [];
    const wanted = [...(picture ? ["picture"] : []), ...maps.map((method) => `map ${method}`), ...steps].map(
      (name) => this.scoped(name),
    );
    if (wanted.length === 0) return;
    // What was asked for is waited for, but the step on screen, which comes first: it may stand at the end of the queue.
    const urgent = steps[0] === store.step.peek() && this.first !== this.scoped(steps[0]);
    const fresh = performance.now() - this.askedAt < patience;
    if (!urgent && fresh && wanted.every((name) => this.asked.has(name))) {
      this.soon(patience);
      return;
    }
    this.asked = new Set(wanted);
    this.first = steps.length ? this.scoped(steps[0]!) : "";
    this.askedAt = performance.now();
    store.host.send({
      type: "look",
      ...store.request.peek(),
      image,
      picture,
      maps,
      method: store.method.peek(),
      orders: store.frameOrders.peek(),
      steps,
    });
    this.soon(patience);
  }

  private missingOrders(): string[] {
    const { store } = this;
    const image = store.state.image.peek();
    const { curves } = store.shown.peek();
    return store.visible
      .peek()
      .filter(
        (method) => store.order(method) === null && this.hasBegun(method, image, curves?.has(image) ?? false),
      );
  }

  /** Whether an order is known to Python: its first step was scored. */
  private hasBegun(method: string, image: number, own: boolean): boolean {
    const { curves } = this.store.shown.peek();
    const [order] = curves?.orders ?? [];
    if (!curves || !order || !own) return curves !== null;
    return Number.isFinite(curves.score({ method, order }, image, 1));
  }

  /** Steps without a frame, the nearest to the cursor first. */
  private missingSteps(): number[] {
    const { store } = this;
    const curves = store.shown.peek().curves!;
    const { height, width } = curves.header.grid;
    const image = store.state.image.peek();
    const step = store.step.peek();
    const orders = store.frameOrders.peek();
    const method = store.method.peek();
    const reach = height * width * curves.steps * orders.length <= wholeCurve ? curves.steps : around;
    const scored = (at: number) =>
      !curves.has(image) ||
      orders.every((order) => Number.isFinite(curves.score({ method, order }, image, at)));
    const missing: number[] = [];
    for (let at = Math.max(1, step - reach); at <= Math.min(curves.steps, step + reach); at++) {
      const here = orders.every((order) => store.frames.has(store.frameAt(order, at)));
      if (!here && scored(at)) missing.push(at);
    }
    return missing.sort((a, b) => Math.abs(a - step) - Math.abs(b - step));
  }

  /** What a name stands for depends on the request. */
  private scoped(name: string | number): string {
    const { store } = this;
    return JSON.stringify([store.request.peek(), store.state.image.peek(), store.method.peek(), name]);
  }
}
