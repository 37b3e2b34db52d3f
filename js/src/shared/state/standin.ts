/**
 * A model without a kernel: the same get/set/on/send as the host's, fed with recorded messages. Saved pages
 * run on it, and the browser tests read from it what a widget would have sent to Python.
 */
import type { HostModel, Message } from "./host.ts";

export interface RecordedMessage {
  content: Message;
  /** base64 text */
  buffers?: string[];
}

/** When a page was saved, and what it holds. */
export interface Saved {
  /** As 2026-11-26. */
  date: string;
  /** About how large the page is. */
  bytes?: number;
  /** How many of the images that were asked for are in it, where not all of them had room. */
  images?: [held: number, asked: number];
}

/** What a saved page carries. */
export interface StandInContent {
  state: Record<string, unknown>;
  messages: RecordedMessage[];
  saved?: Saved;
}

type Listener = (...args: never[]) => void;

export class StandInModel implements HostModel {
  /** Everything the widget sent: custom messages, and the state of each save_changes. */
  readonly sent: Message[] = [];
  readonly saved: Record<string, unknown>[] = [];
  /** What the kernel would answer; by default nothing. */
  respond: (message: Message) => void = () => undefined;

  private readonly listeners = new Map<string, Set<Listener>>();
  private dirty: Record<string, unknown> = {};

  constructor(readonly state: Record<string, unknown>) {}

  get(name: string): unknown {
    return this.state[name];
  }

  set(name: string, value: unknown): void {
    if (this.state[name] === value) return;
    this.state[name] = value;
    this.dirty[name] = value;
    this.emit(`change:${name}`);
  }

  save_changes(): void {
    if (Object.keys(this.dirty).length === 0) return;
    this.saved.push(this.dirty);
    this.dirty = {};
  }

  send(content: unknown): void {
    this.sent.push(content as Message);
    this.respond(content as Message);
  }

  on(name: string, callback: Listener): void {
    const known = this.listeners.get(name);
    if (known) known.add(callback);
    else this.listeners.set(name, new Set([callback]));
  }

  off(name?: string | null, callback?: Listener | null): void {
    if (!name) this.listeners.clear();
    else if (!callback) this.listeners.delete(name);
    else this.listeners.get(name)?.delete(callback);
  }

  /** How many callbacks are registered; a widget that was removed must leave none. */
  get listenerCount(): number {
    let count = 0;
    for (const known of this.listeners.values()) count += known.size;
    return count;
  }

  /** A value that changes on the Python side. */
  update(name: string, value: unknown): void {
    this.state[name] = value;
    this.emit(`change:${name}`);
  }

  /** A message from the Python side. */
  receive(content: Message, buffers: unknown[] = []): void {
    this.emit("msg:custom", content, buffers);
  }

  private emit(name: string, ...args: unknown[]): void {
    for (const listener of [...(this.listeners.get(name) ?? [])])
      (listener as (...a: unknown[]) => void)(...args);
  }
}

/** A stand-in that answers `ready` with the recorded messages, as the kernel did when the page was saved. */
export function savedModel(content: StandInContent): StandInModel {
  const model = new StandInModel(content.state);
  model.respond = (message) => {
    if (message.type !== "ready") return;
    for (const { content: recorded, buffers } of content.messages) model.receive(recorded, buffers ?? []);
  };
  return model;
}
