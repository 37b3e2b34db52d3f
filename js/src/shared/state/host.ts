/**
 * The boundary to the notebook. This file and each widget's index.ts are the only code that knows what a
 * host (anywidget, or the stand-in of a saved page) gives us; everything else talks to a `Host`.
 */
import { type Bytes, toBytes } from "../data/wire.ts";

/** What a host hands to a widget: the part of anywidget's model that we use. */
export interface HostModel {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): unknown;
  on(name: string, callback: (...args: never[]) => void): void;
  off(name?: string | null, callback?: ((...args: never[]) => void) | null): void;
}

export interface Message {
  type: string;
  [field: string]: unknown;
}

export class Host {
  private readonly cleanups: (() => void)[] = [];

  constructor(private readonly model: HostModel) {}

  get<T>(name: string): T {
    return this.model.get(name) as T;
  }

  /** Writes several values to the kernel in one message. */
  commit(values: Record<string, unknown>): void {
    for (const [name, value] of Object.entries(values)) this.model.set(name, value);
    this.model.save_changes();
  }

  /** Sends a message; false when the host says that nobody can get it. */
  send(message: Message): boolean {
    try {
      const sent = this.model.send(message);
      // A closed comm may answer with a promise that fails; nobody waits for it.
      if (sent instanceof Promise) sent.catch(() => undefined);
      return true;
    } catch {
      return false;
    }
  }

  onChange(name: string, callback: () => void): void {
    this.listen(`change:${name}`, callback);
  }

  onMessage(callback: (message: Message, buffers: Bytes[]) => void): void {
    this.listen("msg:custom", ((content: unknown, buffers?: unknown[]) => {
      if (typeof content !== "object" || content === null || !("type" in content)) return;
      let read: Bytes[];
      try {
        read = (buffers ?? []).map(toBytes);
      } catch (error) {
        console.warn("xaiwidgets: a buffer could not be read", error);
        return;
      }
      callback(content as Message, read);
    }) as (...args: never[]) => void);
  }

  /** ipywidgets says so when a kernel appears or goes away; other hosts never call it. */
  onConnectionChange(callback: () => void): void {
    this.listen("comm_live_update", callback);
  }

  private listen(event: string, callback: (...args: never[]) => void): void {
    this.model.on(event, callback);
    this.cleanups.push(() => this.model.off(event, callback));
  }

  dispose(): void {
    for (const cleanup of this.cleanups.splice(0)) cleanup();
  }
}
