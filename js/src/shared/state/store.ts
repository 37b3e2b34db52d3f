/**
 * The plumbing of a widget's store: traits as signals, changes written when a gesture is over, and how things stand
 * with the kernel. A widget's own store extends it with what its results are.
 */
import { computed, type Signal, signal } from "@preact/signals";
import type { Bytes } from "../data/wire.ts";
import type { Connection, ExportMessage, Status, WidgetState } from "../types.ts";
import { Album } from "./album.ts";
import { Committer } from "./commit.ts";
import type { Host, Message } from "./host.ts";
import type { RecordedMessage, Saved } from "./standin.ts";

type Signals<State> = { readonly [K in keyof State]: Signal<State[K]> };

export interface StoreOptions {
  /** A page without a kernel. */
  standalone?: boolean;
  /** Of a saved page. */
  saved?: Saved | null;
}

const patience = 6000; // ms without an answer before we say that the kernel does not answer

export abstract class WidgetStore<State extends WidgetState> {
  readonly state: Signals<State>;
  readonly connection: Signal<Connection>;
  readonly committer: Committer;
  /** The images, and what the model says of them. */
  readonly album = new Album();
  /** Trouble that only the browser knows of (a file that could not be written). */
  readonly trouble = signal("");
  /** What is being saved, or was. */
  readonly saving = signal("");
  /** Of a saved page; null in a notebook. */
  readonly saved: Saved | null;
  /** Whether there was a kernel at all since the widget appeared. */
  everLive = false;
  /** Who waits for a file that Python writes. */
  onExport: ((message: ExportMessage, bytes: Bytes | undefined) => void) | null = null;

  private answerTimer: ReturnType<typeof setTimeout> | undefined;

  /** `initial` stands in where a host does not have a trait: an older kernel, a saved page. */
  constructor(
    readonly host: Host,
    readonly initial: State,
    options: StoreOptions = {},
  ) {
    this.saved = options.saved ?? null;
    this.connection = signal<Connection>(options.standalone ? "none" : "waiting");
    this.committer = new Committer((values) => host.commit(values));
    const signals: Record<string, Signal<unknown>> = {};
    for (const name of Object.keys(initial) as (keyof State & string)[]) {
      const value = signal<unknown>(host.get(name) ?? initial[name]);
      signals[name] = value;
      host.onChange(name, () => {
        // What the person is changing right now wins over what the kernel says.
        if (this.committer.holds(name)) return;
        const news = host.get(name) ?? initial[name];
        if (same(value.peek(), news)) return;
        value.value = news;
        this.heard();
      });
    }
    this.state = signals as unknown as Signals<State>;
    host.onMessage((message, buffers) => {
      this.heard();
      try {
        if (message.type === "export") this.onExport?.(message as unknown as ExportMessage, buffers[0]);
        else if (!this.album.receive(message, buffers)) this.receive(message, buffers);
      } catch (error) {
        // A damaged message must not take down the widget; the last good picture stays.
        console.warn("xaiwidgets: a message could not be read", error);
      }
    });
    host.onConnectionChange(() => {
      if (this.connection.peek() === "live") this.connection.value = "waiting";
      this.hello();
    });
  }

  /** A message other than a file. */
  protected abstract receive(message: Message, buffers: Bytes[]): void;

  /** Whether there is something on screen that came from Python. */
  abstract hasContent(): boolean;

  /** Everything that came from Python of an image, or of all, as messages that a page of its own begins with. */
  abstract recorded(images: "this" | "all"): RecordedMessage[];

  /** Whether an image can be shown: without a kernel only what is here can. */
  canShow(image: number): boolean {
    return !this.detached.value || this.holds(image);
  }

  /** Whether something of an image is here. */
  protected holds(_image: number): boolean {
    return true;
  }

  className(index: number): string {
    return this.state.class_names.value[index] ?? `class ${index}`;
  }

  /** What is being computed; without a kernel nothing is, whatever was saved. */
  readonly progress = computed<Status>(() => {
    const status = this.state.status.value;
    if (!this.canCompute.value) return status.state === "running" ? { ...status, state: "stopped" } : status;
    return this.described(status);
  });

  /** How far what is asked is; a store that asks for one thing after the other knows more than Python says. */
  protected described(status: Status): Status {
    return status;
  }

  readonly busy = computed(() => this.progress.value.state === "running");

  /** Whether new numbers can be asked for. */
  readonly canCompute = computed(
    () => this.connection.value === "waiting" || this.connection.value === "live",
  );

  /** Whether there is no kernel and there was none: only what was saved can be shown. A kernel that is busy comes back. */
  readonly detached = computed(
    () => this.connection.value === "none" || (this.connection.value === "silent" && !this.everLive),
  );

  /** Changes a value that the person sees; Python learns of it when the gesture is over. */
  set<K extends keyof State & string>(name: K, value: State[K]): void {
    if (same(this.state[name].peek(), value)) return;
    this.state[name].value = value;
    this.committer.change(name, value);
  }

  /** A view was opened: ask for what there is, unless another view has it already. */
  hello(): void {
    if (this.connection.peek() === "live" && this.hasContent()) return;
    this.host.send({ type: "ready" });
    this.expectAnswer();
  }

  /** About how many bytes a page of an image, or of all, needs beside the widget itself; null where nobody knows. */
  weight(_images: "this" | "all"): number | null {
    return null;
  }

  stop(): void {
    this.host.send({ type: "stop" });
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
    this.committer.dispose();
    this.album.dispose();
    this.host.dispose();
  }

  /** Python spoke, whatever it said. */
  private heard(): void {
    clearTimeout(this.answerTimer);
    if (this.connection.peek() === "none") return;
    this.connection.value = "live";
    this.everLive = true;
  }
}

/** Equal as JSON: traits are small, and a new object with equal content is no change. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (ArrayBuffer.isView(a) || ArrayBuffer.isView(b)) return false;
  return JSON.stringify(a) === JSON.stringify(b);
}
