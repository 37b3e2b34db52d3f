/**
 * All images in a row, or all at once: what the model says of each, and whether it is right. Any of them by a press, by its
 * number, or with the arrow keys; a filter leaves the wrong answers, or a class.
 */
import type { Signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { formatNumber, formatProbability } from "../data/format.ts";
import { clamp } from "../data/numbers.ts";
import { arrows, isCommand, take } from "../drawing/keys.ts";
import { type Album, type Entry, isRight, saidName } from "../state/album.ts";
import { SheetThumb } from "../views/thumb.tsx";
import { Verdict } from "../views/verdict.tsx";
import { NumberInput } from "./number.tsx";

/** What a store of any widget offers here. */
interface Images {
  state: { image: Signal<number>; images: Signal<number> };
  canShow(image: number): boolean;
}

interface FilmstripProps {
  store: Images;
  album: Album;
  className: (index: number) => string;
  /** Images beside each other: Shift and a press, or Shift and Enter, put one there or take it away. */
  beside?: { images: readonly number[]; toggle: (image: number) => void };
  onChange: (image: number) => void;
}

/** "all", "wrong", or a class as "class 3". */
type Filter = string;

export function Filmstrip({ store, album, className, beside, onChange }: FilmstripProps) {
  const { image, images } = store.state;
  const [filter, setFilter] = useState<Filter>("all");
  const [open, setOpen] = useState(false);
  const strip = useRef<HTMLDivElement>(null);
  const present = image.value;
  useEffect(() => {
    // Within the strip alone: the notebook must not scroll.
    const tile = strip.current?.querySelector<HTMLElement>("[aria-selected=true]");
    if (tile && strip.current) {
      const { offsetLeft: left, offsetWidth: width } = tile;
      const { scrollLeft, clientWidth } = strip.current;
      if (left < scrollLeft || left + width > scrollLeft + clientWidth)
        strip.current.scrollLeft = left - (clientWidth - width) / 2;
    }
  }, [present, filter, open]);
  const entries = Array.from({ length: images.value }, (_, i) => album.entry(i)).filter(
    (entry) => store.canShow(entry.image) || entry.image === present,
  );
  // One image alone, or one that was saved alone, needs no choice.
  if (entries.length < 2) return null;
  const shown = entries.filter((entry) => passes(entry, filter));
  const go = (to: number) => store.canShow(to) && onChange(to);
  const step = (by: number) => {
    const at = shown.findIndex((entry) => entry.image === present);
    // From an image that the filter leaves out, the first step leads to its neighbour there.
    const after = shown.findIndex((entry) => entry.image > present);
    const neighbour = (after < 0 ? shown.length : after) - (by > 0 ? 1 : 0);
    const from = (at >= 0 ? at : neighbour) + by;
    const next = shown[clamp(from, 0, shown.length - 1)];
    if (next) go(next.image);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const [dx, dy] = arrows[event.key] ?? [0, 0];
    const ends: Record<string, number> = { Home: -shown.length, End: shown.length };
    const by = ends[event.key] ?? dx + (open ? dy * rowLength(strip.current!) : 0);
    if (isCommand(event) || by === 0) return;
    take(event);
    step(by);
    requestAnimationFrame(() => strip.current?.querySelector<HTMLElement>("[aria-selected=true]")?.focus());
  };

  return (
    <section class="xw-filmstrip" aria-label="Images" data-open={open}>
      <div
        ref={strip}
        class="xw-strip"
        role="listbox"
        aria-label="Images"
        aria-orientation="horizontal"
        onKeyDown={onKeyDown}
      >
        {shown.map((entry) => (
          <Frame
            key={entry.image}
            entry={entry}
            chosen={entry.image === present}
            first={entry === shown[0] && !shown.some((other) => other.image === present)}
            className={className}
            beside={beside ? beside.images.includes(entry.image) : null}
            onChoose={(more) => (more && beside ? beside.toggle(entry.image) : go(entry.image))}
          />
        ))}
        {shown.length === 0 && <p class="xw-quiet">no image passes the filter</p>}
      </div>
      <div class="xw-strip-controls">
        <span class="xw-jump">
          <NumberInput
            quiet
            label="Image number"
            value={present + 1}
            min={1}
            max={images.value}
            step={1}
            onChange={(typed) => go(Math.round(typed) - 1)}
          />
          <span class="xw-quiet">of {images.value}</span>
        </span>
        <FilterChoice entries={entries} filter={filter} className={className} onChange={setFilter} />
        <button
          type="button"
          class="xw-button xw-small"
          aria-pressed={open}
          title={open ? "One row" : "All images at once"}
          onClick={() => setOpen(!open)}
        >
          {open ? "Row" : "All"}
        </button>
      </div>
    </section>
  );
}

interface FrameProps {
  entry: Entry;
  chosen: boolean;
  /** Whether the keyboard comes here, as the image on screen is not among those shown. */
  first: boolean;
  className: (index: number) => string;
  /** Whether it stands beside others; null where none does. */
  beside: boolean | null;
  /** `more`: beside what is chosen already. */
  onChoose: (more: boolean) => void;
}

function Frame({ entry, chosen, first, className, beside, onChoose }: FrameProps) {
  const { image, predicted, share, kind, label, tile } = entry;
  const name = predicted === null ? "" : saidName(predicted, className);
  const number =
    share === null ? "" : kind === "probability" ? formatProbability(share) : formatNumber(share);
  const right = isRight(entry);
  const verdict = right === null ? "" : right ? ", right" : `, wrong: ${className(label!)}`;
  return (
    <button
      type="button"
      class="xw-film"
      role="option"
      aria-selected={chosen}
      tabIndex={chosen || first ? 0 : -1}
      aria-label={`Image ${image + 1}${name && `: ${name} ${number}`}${verdict}`}
      title={`${image + 1}${name && `: ${name} ${number}`}${verdict}${beside === null ? "" : "; Shift and click: beside others"}`}
      data-beside={beside === true}
      onClick={(event) => onChoose(event.shiftKey)}
    >
      <SheetThumb tile={tile} />
      <Verdict right={right} />
      <span class="xw-film-name">{name || image + 1}</span> <small>{number}</small>
    </button>
  );
}

function FilterChoice({
  entries,
  filter,
  className,
  onChange,
}: {
  entries: readonly Entry[];
  filter: Filter;
  className: (index: number) => string;
  onChange: (filter: Filter) => void;
}) {
  const wrong = entries.filter((entry) => isRight(entry) === false).length;
  const classes = [...new Set(entries.flatMap(({ predicted, label }) => [predicted, label]))]
    .filter((index): index is number => index !== null && index >= 0)
    .sort((a, b) => a - b);
  if (classes.length === 0) return null;
  return (
    <select
      class="xw-select xw-small"
      aria-label="Which images"
      value={filter}
      onChange={(event) => onChange(event.currentTarget.value)}
    >
      <option value="all">all images</option>
      {entries.some(({ label }) => label !== null) && <option value="wrong">wrong answers ({wrong})</option>}
      {classes.map((index) => (
        <option key={index} value={`class ${index}`}>
          {className(index)}
        </option>
      ))}
    </select>
  );
}

/** Whether an image is shown: a class counts whether the model says so or the label. */
function passes(entry: Entry, filter: Filter): boolean {
  if (filter === "all") return true;
  if (filter === "wrong") return isRight(entry) === false;
  const index = Number(filter.slice("class ".length));
  return entry.predicted === index || entry.label === index;
}

/** Images in a row of an open strip. */
function rowLength(strip: HTMLElement): number {
  const tiles = [...strip.querySelectorAll<HTMLElement>(".xw-film")];
  const below = tiles.findIndex((tile) => tile.offsetTop > tiles[0]!.offsetTop);
  return below > 0 ? below : tiles.length;
}
