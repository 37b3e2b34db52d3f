/** Pictures and maps as the browser keeps them. */
import { Distribution } from "./distribution.ts";
import { type Bytes, decodeFloats } from "./wire.ts";

export interface PictureHeader {
  /** [height, width, channels]: 3 are colours; of another number the mean is shown, as xaiwidgets/plots/pixels.py does. */
  shape: [number, number, number];
}

export interface MapHeader {
  name: string;
  dtype: "float16" | "float32";
  /** [height, width] */
  shape: [number, number];
  range: [number, number];
}

export interface Picture {
  width: number;
  height: number;
  canvas: HTMLCanvasElement;
}

export function decodePicture({ shape }: PictureHeader, bytes: Bytes): Picture {
  const [height, width, channels] = shape;
  if (bytes.length < width * height * channels)
    throw new RangeError("the picture's buffer is shorter than its shape");
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(width, height);
  image.data.set(opaque(bytes, width * height, channels));
  context.putImageData(image, 0, 0);
  return { width, height, canvas };
}

/** Pixels of some channels as red, green, blue and full opacity. */
export function opaque(bytes: Bytes, pixels: number, channels: number): Uint8ClampedArray {
  const out = new Uint8ClampedArray(pixels * 4).fill(255);
  for (let pixel = 0; pixel < pixels; pixel++) {
    let from = pixel * channels;
    if (channels === 3) {
      for (let c = 0; c < 3; c++) out[pixel * 4 + c] = bytes[from++]!;
    } else {
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += bytes[from++]!;
      out.fill(sum / channels, pixel * 4, pixel * 4 + 3);
    }
  }
  return out;
}

/** The picture's bytes again, (height, width, 3). */
export function pictureBytes({ canvas, width, height }: Picture): Uint8Array {
  const { data } = canvas.getContext("2d")!.getImageData(0, 0, width, height);
  const rgb = new Uint8Array((data.length / 4) * 3);
  for (let i = 0; i < data.length / 4; i++) rgb.set(data.subarray(i * 4, i * 4 + 3), i * 3);
  return rgb;
}

export class HeatMap {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly values: Float32Array;
  private readonly range: [number, number];
  private cached: Distribution | undefined;

  constructor(header: MapHeader, bytes: Bytes) {
    this.name = header.name;
    this.range = header.range;
    [this.height, this.width] = header.shape;
    this.values = decodeFloats(bytes, header.dtype);
    if (this.values.length !== this.width * this.height) {
      throw new RangeError(`map ${header.name} has ${this.values.length} values, its shape says otherwise`);
    }
  }

  /** Ranks and quantiles, worked out when first asked for. */
  get distribution(): Distribution {
    this.cached ??= Distribution.of(this.values);
    return this.cached;
  }

  /** Lowest and highest value, as Python said; counted here where it said nothing of use. */
  get extent(): [number, number] {
    const [low, high] = this.range ?? [];
    return Number.isFinite(low) && Number.isFinite(high) ? this.range : this.distribution.extent;
  }

  /** The value that all pixels have; null where there are several, or none. */
  get flat(): number | null {
    const [low, high] = this.extent;
    return low === high && this.distribution.count > 0 ? low : null;
  }

  at(x: number, y: number): number {
    return this.values[y * this.width + x] ?? Number.NaN;
  }

  /** The map's bytes again, float32. */
  get bytes(): Uint8Array {
    const { buffer, byteOffset, byteLength } = this.values;
    return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
  }
}

/** Diverging colours are centred at zero, so that the neutral colour means none. */
export function aroundZero([low, high]: [number, number]): [number, number] {
  const bound = Math.max(Math.abs(low), Math.abs(high)) || 1;
  return [-bound, bound];
}
