/** Frames that were made already, within a budget of pixels. */
import { decodePicture, type Picture, pictureBytes } from "../../shared/data/picture.ts";
import { type Bytes, toBase64 } from "../../shared/data/wire.ts";
import type { FrameMessage } from "../types.ts";

export type FrameKey = Omit<FrameMessage, "type" | "shape">;

export function frameKey({ perturb, patch, target, image, method, order, step }: FrameKey): string {
  return JSON.stringify([perturb, patch, target, image, method, order, step]);
}

export class FrameCache {
  private readonly frames = new Map<string, { key: FrameKey; picture: Picture }>();
  private pixels = 0;

  constructor(private readonly budget = 24e6) {}

  has(key: FrameKey): boolean {
    return this.frames.has(frameKey(key));
  }

  /** A frame; asking for it makes it the last to be thrown away. */
  get(key: FrameKey): Picture | null {
    const text = frameKey(key);
    const found = this.frames.get(text);
    if (!found) return null;
    this.frames.delete(text);
    this.frames.set(text, found);
    return found.picture;
  }

  put(message: FrameMessage, bytes: Bytes): void {
    const { type: _, shape, ...key } = message;
    const text = frameKey(key);
    this.drop(text);
    const picture = decodePicture({ shape }, bytes);
    this.frames.set(text, { key, picture });
    this.pixels += picture.width * picture.height;
    for (const oldest of this.frames.keys()) {
      if (this.pixels <= this.budget || oldest === text) break;
      this.drop(oldest);
    }
  }

  clear(): void {
    this.frames.clear();
    this.pixels = 0;
  }

  /** The messages again, for a page of its own. */
  recorded(): { content: FrameMessage; buffers: string[] }[] {
    return [...this.frames.values()].map(({ key, picture }) => ({
      content: { type: "frame", ...key, shape: [picture.height, picture.width, 3] },
      buffers: [toBase64(pictureBytes(picture))],
    }));
  }

  private drop(text: string): void {
    const found = this.frames.get(text);
    if (!found) return;
    this.pixels -= found.picture.width * found.picture.height;
    this.frames.delete(text);
  }
}
