/**
 * The state of one browser of concepts, shared by all its views.
 *
 * `state` is synced with Python; results are filed under what was asked; what only one view knows (an open menu, a
 * name being typed) lives in the components.
 */
import { batch, computed, signal } from "@preact/signals";
import { decodePicture, type HeatMap, type Picture, type PictureHeader } from "../../shared/data/picture.ts";
import { type Bytes, parsePackets } from "../../shared/data/wire.ts";
import type { Host, Message } from "../../shared/state/host.ts";
import type { RecordedMessage } from "../../shared/state/standin.ts";
import { type StoreOptions, WidgetStore } from "../../shared/state/store.ts";
import type {
  ClassUse,
  ConceptsState,
  FocusMessage,
  GraphMessage,
  HeatmapMessage,
  Kind,
  LayerInfo,
  Question,
  RankingMessage,
  ReferencesMessage,
  RegionMessage,
  Step,
  TilesMessage,
  Want,
  WantOf,
} from "../types.ts";
import { initialState } from "../types.ts";
import { Names } from "./names.ts";
import { type Ranked, ranked, strongest } from "./ranked.ts";
import { recordedMessages } from "./recorded.ts";
import { Requests } from "./requests.ts";
import {
  decodeFocus,
  decodeHeatmap,
  decodeRanking,
  decodeRegion,
  type Focus,
  type Graph,
  keyOf,
  type Ranking,
  type References,
  type Region,
  ResultCache,
  type ResultOf,
  withReferences,
} from "./results.ts";
import { Tiles } from "./tiles.ts";

/** A result, and whether it answers the present question. */
interface Shown<T> {
  result: T | null;
  current: boolean;
}

const firstRows = 20; // concepts in the list, until more are asked for
const references = 3; // small pictures of a concept in the list
const tileBytes = 3 * 96 ** 2; // of a small picture
const places = 8; // references of a concept, at the size of the image
const [channels, mapBytes] = [3, 2]; // bytes a pixel

export class ConceptsStore extends WidgetStore<ConceptsState> {
  /** Goes up whenever a result of the kind arrives. */
  private readonly versions = {
    focus: signal(0),
    ranking: signal(0),
    heatmap: signal(0),
    region: signal(0),
    graph: signal(0),
    references: signal(0),
    tiles: signal(0),
  } satisfies Record<Kind, unknown>;
  readonly cache = new ResultCache({ focus: 64, region: 50, references: 60 });
  readonly tiles = new Tiles();
  /** A picture that came without its explanation. */
  private readonly alone = signal<{ image: number; picture: Picture } | null>(null);
  /** Rows that the list shows. */
  readonly rows = signal(firstRows);
  /** Whether Python has said what it has: only then is it asked for what is missing. */
  readonly welcomed = signal(false);
  readonly requests: Requests;
  readonly names = new Names(this);
  private lastFocus: { image: number; result: Focus } | null = null;
  private lastRanking: { layer: string; result: Ranking } | null = null;
  private lastRegion: { of: string; result: Region } | null = null;
  private lastClasses: { of: string; result: ClassUse[] } | null = null;

  constructor(host: Host, options: StoreOptions = {}) {
    super(host, initialState, options);
    for (const { content, buffers } of parsePackets(this.state.snapshot.peek()))
      if (!this.album.receive(content, buffers)) this.read(content, buffers);
    this.requests = new Requests(this);
  }

  // -- what is asked --------------------------------------------------------------------------------------------

  readonly question = computed<Question>(() => {
    const { image, target, against } = this.state;
    return { image: image.value, target: target.value, against: against.value };
  });

  readonly layer = computed<LayerInfo | null>(() => {
    const { layers, layer } = this.state;
    return layers.value.find(({ name }) => name === layer.value) ?? layers.value[0] ?? null;
  });

  /** The concept on screen: the one chosen, else the strongest; null while that is not known. */
  readonly concept = computed<number | null>(() => {
    const chosen = this.state.concept.value;
    const units = this.layer.value?.units ?? 0;
    if (chosen !== null && chosen < units) return chosen;
    const { result } = this.ranking.value;
    return result ? strongest(result) : null;
  });

  want<K extends Exclude<Kind, "tiles">>(kind: K): WantOf<K> | null {
    const { box, reference_by, pool, reference_class } = this.state;
    const question = this.question.value;
    const layer = this.layer.value;
    if (kind === "focus") return { kind, ...question } as WantOf<K>;
    if (!layer) return null;
    if (kind === "ranking") return { kind, ...question, layer: layer.name } as WantOf<K>;
    if (kind === "region")
      return box.value && ({ kind, ...question, layer: layer.name, box: box.value } as WantOf<K>);
    const concept = this.concept.value;
    if (concept === null) return null;
    const place = { layer: layer.name, concept };
    if (kind !== "references") return { kind, ...question, ...place } as WantOf<K>;
    if (!layer.indexed) return null;
    const of = reference_class.value;
    return { kind, ...place, by: reference_by.value, pool: pool.value, of } as unknown as WantOf<K>;
  }

  /** Concepts whose small pictures are on screen, and not here yet. */
  readonly missingTiles = computed<Step[]>(() => {
    this.versions.tiles.value; // read, so that what has arrived is no longer missing
    const layer = this.layer.value;
    if (!layer) return [];
    const listed = this.list.value
      .slice(0, this.rows.value)
      .map(({ concept }): Step => [layer.name, concept]);
    const drawn = (this.graph.value.result?.nodes ?? []).map((node): Step => [node.layer, node.concept]);
    const walked = this.state.trail.value;
    const seen = new Set<string>();
    return [...listed, ...drawn, ...walked].filter(([name, concept]) => {
      const key = `${name} ${concept}`;
      const last = this.slots(name) - 1;
      const missing =
        !seen.has(key) && this.tiles.get(this.tileSource(name), name, concept, last) === undefined;
      seen.add(key);
      return missing;
    });
  });

  /** Small pictures come from the index; without one from the image itself, and then they depend on the question. */
  tileSource(layer: string): string {
    const { reference_by, pool } = this.state;
    return this.indexed(layer) ? `${reference_by.value} ${pool.value}` : JSON.stringify(this.question.value);
  }

  /** How many small pictures a concept has: several references, or the one image. */
  slots(layer: string): number {
    return this.indexed(layer) ? references : 1;
  }

  private indexed(layer: string): boolean {
    return this.state.layers.value.find(({ name }) => name === layer)?.indexed ?? false;
  }

  tile(layer: string, concept: number, slot: number): ImageData | null | undefined {
    this.versions.tiles.value; // read, so that whoever asks hears of new ones
    return this.tiles.get(this.tileSource(layer), layer, concept, slot);
  }

  // -- what is shown ---------------------------------------------------------------------------------------------

  /** The result for what is wanted now; reading it subscribes. */
  private exact<K extends keyof ResultOf>(kind: K): ResultOf[K] | undefined {
    this.versions[kind].value;
    const want = this.want(kind);
    return want ? this.cache.get(kind, keyOf(want)) : undefined;
  }

  /** The last good picture stays while the next one is computed. */
  readonly focus = computed<Shown<Focus>>(() => {
    const image = this.state.image.value;
    const result = this.exact("focus");
    if (result) this.lastFocus = { image, result };
    return {
      result: this.lastFocus?.image === image ? this.lastFocus.result : null,
      current: result !== undefined,
    };
  });

  readonly ranking = computed<Shown<Ranking>>(() => {
    const layer = this.layer.value?.name ?? "";
    const result = this.exact("ranking");
    if (result) this.lastRanking = { layer, result };
    return {
      result: this.lastRanking?.layer === layer ? this.lastRanking.result : null,
      current: result !== undefined,
    };
  });

  /** While the box is dragged, the last answer stands in for the one on its way. */
  readonly region = computed<Shown<Region>>(() => {
    const want = this.want("region");
    if (!want) return { result: null, current: true };
    const result = this.exact("region");
    const last = this.lastRegion?.of === regionOf(want) ? this.lastRegion.result : null;
    return { result: result ?? last, current: result !== undefined };
  });

  readonly heatmap = computed<HeatMap | null>(() => this.exact("heatmap") ?? null);

  readonly graph = computed<Shown<Graph>>(() => {
    const result = this.exact("graph");
    return { result: result ?? null, current: result !== undefined };
  });

  readonly references = computed<References | null>(() => this.exact("references") ?? null);

  /** Classes that use the concept; those of its last references while others are on their way. */
  readonly classes = computed<ClassUse[]>(() => {
    const of = `${this.layer.value?.name} ${this.concept.value}`;
    const result = this.references.value;
    if (result) this.lastClasses = { of, result: result.classes };
    return this.lastClasses?.of === of ? this.lastClasses.result : [];
  });

  readonly list = computed<Ranked[]>(() => {
    const { result } = this.ranking.value;
    return result ? ranked(result, this.region.value.result, this.state.order.value) : [];
  });

  /** The class explained, or another target in words. */
  targetName(target: number | string): string {
    return typeof target === "string" ? target : this.className(target);
  }

  readonly picture = computed<Picture | null>(() => {
    const { image, picture } = this.alone.value ?? {};
    return this.focus.value.result?.picture ?? (image === this.state.image.value ? picture! : null);
  });

  // -- what a person does ----------------------------------------------------------------------------------------

  ask(change: Partial<Pick<ConceptsState, "image" | "target" | "against" | "layer" | "concept">>): void {
    batch(() => {
      for (const [name, value] of Object.entries(change)) this.set(name as "image", value as number);
    });
  }

  /** Goes to a concept; the way through the graph begins there. */
  go(layer: string, concept: number | null): void {
    batch(() => {
      if (layer !== this.layer.peek()?.name) this.rows.value = firstRows;
      this.ask({ layer, concept });
      this.set("trail", []);
      this.set("reference_class", null);
    });
  }

  /** Down the graph: to a concept that feeds the present one. */
  walkDown(layer: string, concept: number): void {
    const from = this.layer.peek();
    const here = this.concept.peek();
    if (!from || here === null || (from.name === layer && here === concept)) return;
    const trail: Step[] = [...this.state.trail.peek(), [from.name, here]];
    batch(() => {
      this.go(layer, concept);
      this.set("trail", trail);
    });
  }

  /** Back up, to a concept on the way down to here. */
  walkUp(place = this.state.trail.peek().length - 1): void {
    const trail = this.state.trail.peek();
    const step = trail[place];
    if (!step) return;
    batch(() => {
      this.go(...step);
      this.set("trail", trail.slice(0, place));
    });
  }

  // -- messages --------------------------------------------------------------------------------------------------

  /** Answers may come before anybody asked; Python is asked only once it has said welcome. */
  override hello(): void {
    if (this.connection.peek() === "live" && this.welcomed.peek()) return;
    this.welcomed.value = false;
    this.host.send({ type: "ready" });
    this.expectAnswer();
  }

  override hasContent(): boolean {
    return this.cache.entries("focus").length > 0;
  }

  override recorded(images: "this" | "all"): RecordedMessage[] {
    return recordedMessages(this.cache, this.tiles, this.question.peek(), images === "this");
  }

  protected override holds(image: number): boolean {
    this.versions.focus.value; // read, so that whoever asks hears of new results
    return this.knows({ ...this.question.value, image });
  }

  /** Whether a class can be explained: without a kernel only those can that were. */
  offers(change: Partial<Pick<Question, "target" | "against">>): boolean {
    this.versions.focus.value; // as above
    return this.knows({ ...this.question.value, ...change });
  }

  private knows(question: Question): boolean {
    return this.cache.get("focus", keyOf({ kind: "focus", ...question })) !== undefined;
  }

  override weight(images: "this" | "all"): number | null {
    const picture = this.focus.value.result?.picture;
    if (!picture) return null;
    const own = picture.width * picture.height;
    const count = images === "all" ? this.state.images.value : 1;
    const layer = this.layer.value?.name ?? "";
    // Small pictures of references belong to all images, those of the image itself to each.
    const small = this.rows.value * this.slots(layer) * tileBytes * (this.indexed(layer) ? 1 : count);
    const large = this.indexed(layer) ? places * own * (channels + mapBytes) : 0;
    return count * own * (channels + 2 * mapBytes) + small + large;
  }

  protected override receive(message: Message, buffers: Bytes[]): void {
    if (message.type === "welcome") {
      this.requests.forget();
      this.welcomed.value = true;
    } else this.read(message, buffers);
  }

  private read(message: Message, buffers: Bytes[]): void {
    if (message.type === "picture" && buffers[0]) {
      const header = message as never as PictureHeader & { image: number };
      this.alone.value = { image: header.image, picture: decodePicture(header, buffers[0]) };
      return;
    }
    const kind = message.type as Kind;
    if (!(kind in this.versions)) return;
    const want = message.want as Want;
    const key = keyOf(want);
    batch(() => {
      if (kind === "focus") this.cache.put(kind, key, decodeFocus(message as never as FocusMessage, buffers));
      else if (kind === "ranking")
        this.cache.put(kind, key, decodeRanking(message as never as RankingMessage, buffers));
      else if (kind === "heatmap")
        this.cache.put(kind, key, decodeHeatmap(message as never as HeatmapMessage, buffers));
      else if (kind === "region") {
        const result = decodeRegion(message as never as RegionMessage, buffers);
        this.cache.put(kind, key, result);
        this.lastRegion = { of: regionOf(want as WantOf<"region">), result };
      } else if (kind === "graph") {
        const { nodes, edges } = message as never as GraphMessage;
        this.cache.put(kind, key, { nodes, edges });
      } else if (kind === "references") {
        const before = this.cache.get(kind, key);
        const after = withReferences(before, message as never as ReferencesMessage, buffers);
        this.cache.put(kind, key, after);
      } else if (kind === "tiles") {
        const tiles = message as never as TilesMessage;
        this.tiles.receive(tiles, buffers, (layer) => this.tileSourceOf(tiles.want, layer));
      }
      this.versions[kind].value++;
      this.requests?.answered(kind, message.request as number | null);
    });
  }

  private tileSourceOf({ by, pool, image, target, against }: WantOf<"tiles">, layer: string): string {
    return this.indexed(layer) ? `${by} ${pool}` : JSON.stringify({ image, target, against });
  }

  override dispose(): void {
    this.requests.dispose();
    super.dispose();
    this.cache.clear();
    this.tiles.clear();
  }
}

/** What a box's answer depends on beside the box. */
function regionOf({ layer, image, target, against }: WantOf<"region">): string {
  return JSON.stringify([layer, image, target, against]);
}
