/** Where the nodes and links of a concept graph stand: from the class to ever lower layers, widths are relevance. */
import { sankey, sankeyLeft, sankeyLinkHorizontal } from "d3-sankey";
import type { Graph } from "../state/results.ts";

export interface PlacedNode {
  /** Its number in the graph; −1: the class. */
  index: number;
  x0: number;
  x1: number;
  y0: number;
  y1: number;
}

export interface PlacedLink {
  /** Number of the edge in the graph; −1: from the class to the concept. */
  index: number;
  path: string;
  width: number;
  relevance: number;
}

export interface GraphLayout {
  nodes: PlacedNode[];
  links: PlacedLink[];
  height: number;
}

export interface Room {
  /** Of the whole graph. */
  width: number;
  /** Of a node's picture and name, and of the class' name. */
  card: number;
  name: number;
}

const cardHeight = 50; // px, a node's picture and name, and some air
const overhang = 20; // px that a card may stand over its bar, above and below
const tallest = 110; // px, the bar of the concept that the graph is of

// The layout has an "index" of its own.
interface Bar {
  number: number;
}

interface Flow {
  number: number;
  relevance: number;
}

export function layoutGraph(graph: Graph, room: Room): GraphLayout {
  const [root] = graph.nodes;
  if (!root) return { nodes: [], links: [], height: 0 };
  const nodes: Bar[] = graph.nodes.map((_, number) => ({ number }));
  // Links of nothing have no width, but hold their nodes in place.
  const least = Math.max(...graph.nodes.map(({ relevance }) => Math.abs(relevance)), 1e-30) * 1e-4;
  const value = (relevance: number) => Math.max(Math.abs(relevance), least);
  const links = graph.edges.map(({ source, target, relevance }, number) => ({
    source,
    target,
    number,
    relevance,
    value: value(relevance),
  }));
  if (root.layer !== "output") {
    nodes.push({ number: -1 });
    const fromClass = { source: nodes.length - 1, target: 0, number: -1, relevance: root.relevance };
    links.push({ ...fromClass, value: value(root.relevance) });
  }
  const { height, padding } = measures(nodes.length, links);
  const laid = sankey<Bar, Flow>()
    .nodeAlign(sankeyLeft)
    .nodeWidth(1)
    .nodePadding(padding)
    .nodeSort((a, b) => a.number - b.number)
    .extent([
      [0, overhang],
      [1, height - overhang],
    ])({ nodes, links });
  const columns = Math.max(...laid.nodes.map(({ depth }) => depth!)) + 1;
  const placed = laid.nodes.map((node) => {
    const [x0, x1] = columnAt(node.depth!, columns, room);
    return Object.assign(node, { x0, x1 });
  });
  const path = sankeyLinkHorizontal<Bar, Flow>();
  return {
    nodes: placed.map(({ number, x0, x1, y0, y1 }) => ({ index: number, x0, x1, y0: y0!, y1: y1! })),
    links: laid.links.map((link) => ({
      index: link.number,
      path: path(link) ?? "",
      width: Math.max(1, link.width ?? 0),
      relevance: link.relevance,
    })),
    height,
  };
}

/** A height in which the fullest column has room for its cards, and bars, on one scale, are no higher than they may be. */
function measures(
  count: number,
  links: { source: number; target: number; value: number }[],
): { height: number; padding: number } {
  const columns = new Map<number, { cards: number; sum: number }>();
  const depth = depths(count, links);
  for (let node = 0; node < count; node++) {
    const flow = (end: "source" | "target") =>
      links.filter((link) => link[end] === node).reduce((sum, link) => sum + link.value, 0);
    const column = columns.get(depth[node]!) ?? { cards: 0, sum: 0 };
    columns.set(depth[node]!, {
      cards: column.cards + 1,
      sum: column.sum + Math.max(flow("source"), flow("target")),
    });
  }
  const all = [...columns.values()];
  const largest = Math.max(...all.map(({ sum }) => sum)) || 1;
  const fullest = all.reduce((a, b) => (b.cards > a.cards ? b : a));
  const bars = (fullest.sum / largest) * tallest;
  const inner = Math.max(tallest, bars + (fullest.cards - 1) * cardHeight);
  return { height: inner + overhang * 2, padding: cardHeight };
}

/** Left and right end of a column: the class' name, then cards, as far apart as there is room. */
function columnAt(column: number, columns: number, { width, card, name }: Room): [number, number] {
  const first = columns > 1 ? name : 0;
  const gap = Math.max(24, (width - first - (columns - 1) * card) / Math.max(1, columns - 1));
  if (column === 0) return [0, first];
  const left = first + gap + (column - 1) * (card + gap);
  return [left, left + card];
}

/** The longest way to each node from one that nothing leads to. */
function depths(count: number, links: { source: number; target: number }[]): number[] {
  const depth = new Array<number>(count).fill(0);
  // A way through n nodes has fewer than n links: after so many rounds nothing changes.
  for (let round = 0; round < count; round++) {
    for (const { source, target } of links) depth[target] = Math.max(depth[target]!, depth[source]! + 1);
  }
  return depth;
}
