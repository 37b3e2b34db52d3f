/** Asking Python for new numbers: a moment after the last change, and only for what is not here yet. */
import type { ReadonlySignal } from "@preact/signals";
import type { Picture } from "../../shared/data/picture.ts";
import type { WidgetStore } from "../../shared/state/store.ts";
import { besideTargets, compare, type HeatmapState, type Method, type Question } from "../types.ts";

/** The part of the widget's state that decides what to ask. */
export interface Asking extends WidgetStore<HeatmapState> {
  readonly method: ReadonlySignal<Method | null>;
  readonly picture: ReadonlySignal<Picture | null>;
  /** What is on screen: methods, and the target of each where it is not the present one. */
  readonly shown: ReadonlySignal<readonly Shown[]>;
  question(method: Method, target?: number | null): Question;
  /** Whether the answer is here, and complete. */
  knows(shown: Shown): boolean;
}

export interface Shown {
  method: Method;
  target?: number | null;
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

  /** A complete result arrived: while comparing, it is the next one's turn. */
  answered(): void {
    if ([compare, besideTargets].includes(this.store.state.show.peek())) this.askSoon(0);
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private ask(): void {
    if (!this.store.canCompute.peek()) return;
    const wanted = this.store.shown.peek();
    const missing = wanted.find((shown) => !this.store.knows(shown)) ?? this.pictureless(wanted[0]);
    if (missing) this.send(missing);
  }

  /** An answer brings its picture along, which may be missing alone; asked for once an image, not in circles. */
  private pictureless(shown: Shown | undefined): Shown | undefined {
    const image = this.store.state.image.peek();
    if (this.store.picture.peek() || this.pictureAsked === image) return undefined;
    this.pictureAsked = image;
    return shown;
  }

  private send({ method, target }: Shown): void {
    const { store } = this;
    // Python's own view of the state must not lag behind the question.
    store.committer.flush();
    store.host.send({ type: "compute", id: this.nextId++, ...store.question(method, target) });
    store.expectAnswer();
  }
}
