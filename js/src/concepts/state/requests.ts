/**
 * Asks Python for what is on screen and not here yet.
 *
 * Each kind of question is asked once; the newest replaces older ones in Python. A box that is dragged asks at every
 * move: of those, one question is under way at a time, and when it is answered the newest is asked.
 */
import { effect, type ReadonlySignal } from "@preact/signals";
import type { WidgetStore } from "../../shared/state/store.ts";
import type { ConceptsState, Kind, Question, Step, Want } from "../types.ts";
import { keyOf, type ResultCache } from "./results.ts";

const kinds = ["focus", "ranking", "region", "heatmap", "references", "graph"] as const;
const tilePause = 120; // ms after the last change of what is on screen
const patience = 3000; // ms after which a box's answer is given up, and the newest is asked for

/** The part of the widget's state that decides what to ask. */
export interface Asking extends WidgetStore<ConceptsState> {
  readonly welcomed: ReadonlySignal<boolean>;
  readonly question: ReadonlySignal<Question>;
  readonly missingTiles: ReadonlySignal<Step[]>;
  readonly cache: ResultCache;
  want(kind: Exclude<Kind, "tiles">): Want | null;
}

export class Requests {
  /** What was asked last, of each kind. */
  private readonly asked = new Map<Kind, string>();
  private tilesAsked = new Set<string>();
  private tileSource = "";
  private underWay: number | null = null;
  // Starts at the clock, so that a reloaded page never repeats an earlier page's numbers.
  private nextId = Date.now();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private tileTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly stop: () => void;

  constructor(private readonly store: Asking) {
    this.stop = effect(() => {
      const { canCompute, welcomed } = store;
      if (!canCompute.value || !welcomed.value) return;
      for (const kind of kinds) this.consider(store.want(kind));
      if (store.missingTiles.value.length) this.considerTiles();
    });
  }

  /** An answer of some kind arrived. */
  answered(kind: Kind, request: number | null): void {
    if (kind !== "region" || request !== this.underWay) return;
    this.free();
    this.consider(this.store.want("region"));
  }

  /** Nothing that was asked will be answered: the kernel is a new one. */
  forget(): void {
    this.asked.clear();
    this.tilesAsked.clear();
    this.free();
  }

  /** Asks for what was stopped. */
  again(): void {
    this.forget();
    for (const kind of kinds) this.consider(this.store.want(kind));
    this.considerTiles();
  }

  dispose(): void {
    this.stop();
    clearTimeout(this.timer);
    clearTimeout(this.tileTimer);
  }

  private consider(want: Want | null): void {
    if (!want || want.kind === "tiles") return;
    const key = keyOf(want);
    if (want.kind === "region" && this.underWay !== null) return;
    if (this.asked.get(want.kind) === key || this.store.cache.get(want.kind, key)) {
      // What is here already is the newest question: Python need not go on with an older one.
      this.asked.set(want.kind, key);
      return;
    }
    const id = this.send(want);
    if (want.kind !== "region") return;
    this.underWay = id;
    this.timer = setTimeout(() => {
      this.free();
      this.consider(this.store.want("region"));
    }, patience);
  }

  private free(): void {
    clearTimeout(this.timer);
    this.underWay = null;
  }

  private considerTiles(): void {
    clearTimeout(this.tileTimer);
    this.tileTimer = setTimeout(() => {
      const { store } = this;
      // A drag passes over concepts by the dozen; those it ends on are worth a picture.
      if (store.committer.gesturing) {
        this.considerTiles();
        return;
      }
      const concepts = store.missingTiles.peek();
      const { reference_by, pool } = store.state;
      const want: Want = {
        kind: "tiles",
        ...store.question.peek(),
        concepts,
        by: reference_by.peek(),
        pool: pool.peek(),
      };
      const source = keyOf({ ...want, concepts: [] });
      const known = source === this.tileSource ? this.tilesAsked : new Set<string>();
      // What is left of the last question is on its way.
      if (concepts.every(([layer, concept]) => known.has(`${layer} ${concept}`))) return;
      this.tileSource = source;
      this.tilesAsked = new Set(concepts.map(([layer, concept]) => `${layer} ${concept}`));
      this.send(want);
    }, tilePause);
  }

  private send(want: Want): number {
    const id = this.nextId++;
    this.asked.set(want.kind, keyOf(want));
    this.store.host.send({ type: "ask", id, want });
    this.store.expectAnswer();
    return id;
  }
}
