/** Asking Python for new numbers: a moment after the last change, and only for what is not here yet. */
import type { ReadonlySignal } from "@preact/signals";
import type { Picture } from "../../shared/data/picture.ts";
import type { WidgetStore } from "../../shared/state/store.ts";
import { compare, type HeatmapState, type Method, type Question } from "../types.ts";

/** The part of the widget's state that decides what to ask. */
export interface Asking extends WidgetStore<HeatmapState> {
  readonly method: ReadonlySignal<Method | null>;
  readonly picture: ReadonlySignal<Picture | null>;
  question(method: Method): Question;
  /** Whether the method's answer to the present question is here, and complete. */
  knows(method: Method): boolean;
}

const typingPause = 250; // ms; a parameter slider asks when it rests

export class Requests {
  private timer: ReturnType<typeof setTimeout> | undefined;
  // Starts at the clock, so that a reloaded page never repeats an earlier page's numbers.
  private nextId = Date.now();

  private pictureAsked: number | null = null;

  constructor(private readonly store: Asking) {}

  askSoon(pause = typingPause): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), pause);
  }

  /** A complete result arrived: while comparing, it is the next method's turn. */
  answered(): void {
    if (this.store.state.show.peek() === compare) this.askSoon(0);
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private ask(): void {
    if (!this.store.canCompute.peek()) return;
    const { show, methods } = this.store.state;
    const current = this.store.method.peek();
    const wanted = show.peek() === compare ? methods.peek() : current ? [current] : [];
    const missing = wanted.find((method) => !this.store.knows(method)) ?? this.pictureless(current);
    if (missing) this.send(missing);
  }

  /** An answer brings its picture along, which may be missing alone; asked for once an image, not in circles. */
  private pictureless(method: Method | null): Method | null {
    const image = this.store.state.image.peek();
    if (this.store.picture.peek() || this.pictureAsked === image) return null;
    this.pictureAsked = image;
    return method;
  }

  private send(method: Method): void {
    const { store } = this;
    // Python's own view of the state must not lag behind the question.
    store.committer.flush();
    store.host.send({ type: "compute", id: this.nextId++, ...store.question(method) });
    store.expectAnswer();
  }
}
