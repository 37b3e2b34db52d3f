/** What the browser has of a widget, as messages that a page of its own begins with. */
import { type Picture, pictureBytes } from "../../shared/data/picture.ts";
import { toBase64 } from "../../shared/data/wire.ts";
import type { RecordedMessage } from "../../shared/state/standin.ts";
import type { Question } from "../types.ts";
import type { MapSet } from "./maps.ts";

export function recordedPicture(image: number, picture: Picture): RecordedMessage {
  const shape = [picture.height, picture.width, 3];
  return { content: { type: "picture", image, shape }, buffers: [toBase64(pictureBytes(picture))] };
}

export function recordedMaps(question: Question, set: MapSet): RecordedMessage {
  const maps = [...set.maps.values()];
  const headers = maps.map(({ name, height, width, extent }) => ({
    name,
    dtype: "float32",
    shape: [height, width],
    range: extent,
  }));
  const { sharedRange, notes, unit, explains, refused } = set;
  return {
    content: {
      type: "maps",
      ...question,
      maps: headers,
      shared_range: sharedRange,
      notes,
      unit,
      final: true,
      ...(explains ? { explains } : {}),
      ...(refused ? { refused } : {}),
    },
    buffers: maps.map(({ bytes }) => toBase64(bytes)),
  };
}
