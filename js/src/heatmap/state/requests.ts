/** Asking Python for new numbers: a moment after the last change, and only for what is not here yet. */
import { type ReadonlySignal, signal } from "@preact/signals";
import type { WidgetStore } from "../../shared/state/store.ts";
import type { HeatmapState, Question } from "../types.ts";
import type { Ask } from "./comparison.ts";

/** The part of the widget's state that decides what to ask. */
export interface Asking extends WidgetStore<HeatmapState> {
  readonly comparison: { readonly shown: ReadonlySignal<readonly Ask[]> };
  /** Images that a person sees of a gallery: they come first. */
  readonly inView: ReadonlySignal<ReadonlySet<number>>;
  hasPicture(image: number): boolean;
  /** Whether so many results can be kept at once. */
  fits(count: number): boolean;
  question(ask: Ask): Question;
  /** Whether the answer is here, and complete. */
  knows(ask: Ask): boolean;
}

const typingPause = 250; // ms; a parameter slider asks when it rests

export class Requests {
  /** Whether several pictures are being asked for, one after the other. */
  readonly going = signal(false);

  private timer: ReturnType<typeof setTimeout> | undefined;
  // Starts at the clock, so that a reloaded page never repeats an earlier page's numbers.
  private nextId = Date.now();
  /** Whether somebody stopped it. */
  readonly halted = signal(false);
  private readonly picturesAsked = new Set<number>();

  constructor(private readonly store: Asking) {}

  askSoon(pause = typingPause): void {
    this.halted.value = false;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), pause);
  }

  /** A complete result arrived: of several pictures it is the next one's turn. */
  answered(): void {
    if (this.store.comparison.shown.peek().length > 1) this.resume();
  }

  /** Goes on with what is missing, unless somebody stopped it. */
  resume(): void {
    if (!this.halted.peek()) this.askSoon(0);
  }

  /** Asks for nothing more until somebody wants something. */
  halt(): void {
    this.halted.value = true;
    this.going.value = false;
    clearTimeout(this.timer);
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private ask(): void {
    if (!this.store.canCompute.peek()) return;
    const wanted = this.inOrder();
    const missing =
      wanted.find((ask) => !this.store.knows(ask)) ?? wanted.find((ask) => this.isPictureless(ask));
    this.going.value = wanted.length > 1 && missing !== undefined;
    if (missing) this.send(missing);
  }

  /** What is on screen: first the image that is shown, then those that a person sees of a gallery. */
  private inOrder(): readonly Ask[] {
    const shown = this.store.comparison.shown.peek();
    const seen = this.store.inView.peek();
    const present = this.store.state.image.peek();
    const rank = ({ image }: Ask) =>
      image === undefined || image === present ? 0 : seen.size === 0 || seen.has(image) ? 1 : 2;
    // What cannot be kept would be asked for again and again: of very many images those that are seen.
    const kept = this.store.fits(shown.length) ? shown : shown.filter((ask) => rank(ask) < 2);
    return [...kept].sort((a, b) => rank(a) - rank(b));
  }

  /** An answer brings its picture along, which may be missing alone; asked for once an image, not in circles. */
  private isPictureless({ image = this.store.state.image.peek() }: Ask): boolean {
    if (this.store.hasPicture(image) || this.picturesAsked.has(image)) return false;
    this.picturesAsked.add(image);
    return true;
  }

  private send(ask: Ask): void {
    const { store } = this;
    // Python's own view of the state must not lag behind the question.
    store.committer.flush();
    store.host.send({ type: "compute", id: this.nextId++, ...store.question(ask) });
    store.expectAnswer();
  }
}
