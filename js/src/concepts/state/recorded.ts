/** Everything this browser has received, as messages again: for a page of its own, without a kernel. */
import type { HeatMap, MapHeader } from "../../shared/data/picture.ts";
import { pictureBytes } from "../../shared/data/picture.ts";
import { toBase64 } from "../../shared/data/wire.ts";
import type { RecordedMessage } from "../../shared/state/standin.ts";
import type { Order, Pool, Question, ReferenceHeader, TilesMessage } from "../types.ts";
import type { ResultCache } from "./results.ts";
import type { Tiles } from "./tiles.ts";

/** `only`: what depends on an image, of the question's image alone. */
export function recordedMessages(
  cache: ResultCache,
  tiles: Tiles,
  question: Question,
  only: boolean,
): RecordedMessage[] {
  const made: RecordedMessage[] = [];
  const add = (type: string, key: string, fields: Record<string, unknown>, buffers: Uint8Array[]) => {
    const want = Object.fromEntries(JSON.parse(key));
    if (only && "image" in want && want.image !== question.image) return;
    made.push({ content: { type, want, request: null, ...fields }, buffers: buffers.map(toBase64) });
  };
  for (const [key, { picture, map, target, score, probability, cautions }] of cache.entries("focus")) {
    const fields = {
      shape: [picture.height, picture.width, 3],
      map: headerOf(map),
      target,
      score,
      probability,
      cautions,
    };
    add("focus", key, fields, [pictureBytes(picture), map.bytes]);
  }
  for (const [key, { relevance, activation }] of cache.entries("ranking"))
    add("ranking", key, { units: relevance.length }, [bytesOf(relevance), bytesOf(activation)]);
  for (const [key, map] of cache.entries("heatmap")) add("heatmap", key, { map: headerOf(map) }, [map.bytes]);
  for (const [key, { relevance }] of cache.entries("region"))
    add("region", key, { units: relevance.length }, [bytesOf(relevance)]);
  for (const [key, graph] of cache.entries("graph")) add("graph", key, { ...graph }, []);
  for (const [key, { total, items, classes }] of cache.entries("references")) {
    const headers = items.map(({ place, sample, score, target, picture, map, box }): ReferenceHeader => {
      const head = { place, sample, score, target };
      if (!picture || !map) return head;
      const shape: [number, number, number] = [picture.height, picture.width, 3];
      return { ...head, shape, map: headerOf(map), ...(box ? { box } : {}) };
    });
    const buffers = items.flatMap(({ picture, map }) =>
      picture && map ? [pictureBytes(picture), map.bytes] : [],
    );
    add("references", key, { total, items: headers, classes }, buffers);
  }
  return [...made, ...tileMessages(tiles, question)];
}

/** One message for each source of tiles: of the index, whatever is asked now, or of the question that they are of. */
function tileMessages(kept: Tiles, asked: Question): RecordedMessage[] {
  const bySource = new Map<string, { places: TilesMessage["places"]; tiles: ImageData[] }>();
  for (const { source, layer, concept, slot, image } of kept.entries()) {
    const found = bySource.get(source) ?? { places: [], tiles: [] };
    bySource.set(source, found);
    found.places.push([layer, concept, slot, image !== null]);
    if (image) found.tiles.push(image);
  }
  return [...bySource].map(([source, { places, tiles }]) => {
    const side = tiles[0]?.width ?? 1;
    const bytes = new Uint8Array(tiles.length * side * side * 3);
    tiles.forEach(({ data }, n) => {
      for (let pixel = 0; pixel < side * side; pixel++)
        bytes.set(data.subarray(pixel * 4, pixel * 4 + 3), (n * side * side + pixel) * 3);
    });
    const ofIndex = !source.startsWith("{");
    const [by, pool] = (ofIndex ? source.split(" ") : ["relevance", "sum"]) as [Order, Pool];
    const question = ofIndex ? asked : JSON.parse(source);
    const want = { kind: "tiles", ...question, concepts: [], by, pool };
    return { content: { type: "tiles", want, request: null, side, places }, buffers: [toBase64(bytes)] };
  });
}

function headerOf({ name, width, height, extent }: HeatMap): MapHeader {
  return { name, dtype: "float32", shape: [height, width], range: extent };
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}
