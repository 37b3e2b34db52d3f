/** Asking Python for new numbers: a moment after the last change, the newest question only. */

import { questionKey } from "./maps.ts";
import type { HeatmapStore } from "./store.ts";
import { compare, type MapsMessage, type Method } from "./types.ts";

const typingPause = 250; // ms; a parameter slider asks when it rests

export class Requests {
  private timer: ReturnType<typeof setTimeout> | undefined;
  // Starts at the clock, so that a reloaded page never repeats an earlier page's numbers.
  private nextId = Date.now();
  private readonly asked = new Map<number, string>();
  private latest: { id: number; answered: boolean } | null = null;

  constructor(private readonly store: HeatmapStore) {}

  askSoon(pause = typingPause): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), pause);
  }

  /** Asks for what is on screen and not known yet; while comparing, one method after the other. */
  ask(): void {
    clearTimeout(this.timer);
    if (!this.store.canCompute.peek()) return;
    const { show, methods } = this.store.state;
    const current = this.store.method.peek();
    const wanted = show.peek() === compare ? [...methods.peek()] : current ? [current] : [];
    const missing = wanted.find((method) => !this.store.knows(method));
    if (missing) this.send(missing);
  }

  private send(method: Method): void {
    const { store } = this;
    const question = store.question(method);
    const id = this.nextId++;
    this.asked.set(id, questionKey(question, method.classes));
    if (this.asked.size > 100) this.asked.delete(this.asked.keys().next().value!);
    this.latest = { id, answered: false };
    // Python's own view of the state must not lag behind the question.
    store.committer.flush();
    store.host.send({ type: "compute", id, ...question });
    store.expectAnswer();
  }

  /**
   * The question that a result answers, as a key; null for an answer nobody waits for any more.
   * A result that Python began by itself answers the present question when image and method agree, because
   * Python may have filled in what the browser left open (the predicted class).
   */
  keyOf(message: MapsMessage, method: Method): string | null {
    const { store } = this;
    const own = message.request == null ? undefined : this.asked.get(message.request);
    if (own !== undefined) {
      const newest = this.latest?.id === message.request ? this.latest : null;
      // Half a result that nobody waits for any more is not worth keeping.
      if (!newest && message.final === false) return null;
      if (newest && message.final !== false) {
        newest.answered = true;
        // Comparing: the next method's turn.
        if (store.state.show.peek() === compare) this.askSoon(0);
      }
      return own;
    }
    const waiting = this.latest !== null && !this.latest.answered;
    const present = store.question(method);
    const agrees = message.image === present.image;
    if (agrees && !waiting) return questionKey(present, method.classes);
    return questionKey({ ...message, parameters: message.parameters ?? {} }, method.classes);
  }

  /** Nothing is waited for any more. */
  forget(): void {
    this.latest = null;
  }

  dispose(): void {
    clearTimeout(this.timer);
  }
}
