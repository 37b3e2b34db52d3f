/** Where the nodes and links of a concept graph stand: layers in columns, widths are relevance. */
import { sankey, sankeyLeft, sankeyLinkHorizontal } from "d3-sankey";
import type { Graph } from "./results.ts";

export interface PlacedNode {
  /** Its number in the graph; −1: the class. */
  index: number;
  x0: number;
  x1: number;
  y0: number;
  y1: number;
  column: number;
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
  columns: number;
  height: number;
}

const barWidth = 6;
const cardHeight = 46; // a node's picture and name
const smallest = 140; // px, the height of a graph of few nodes

interface Bar {
  index: number;
}

/** Lays a graph out over `width` pixels; `room` are kept free for the names right of the last column. */
export function layoutGraph(graph: Graph, width: number, room: number): GraphLayout {
  const fromClass = graph.nodes[0]?.layer !== "output";
  const nodes: Bar[] = graph.nodes.map((_, index) => ({ index }));
  // Links of nothing have no width, but hold their nodes in place.
  const least = Math.max(...graph.nodes.map(({ relevance }) => Math.abs(relevance)), 1e-30) * 1e-4;
  const value = (relevance: number) => Math.max(Math.abs(relevance), least);
  const links = graph.edges.map(({ source, target, relevance }, index) => ({
    source,
    target,
    index,
    relevance,
    value: value(relevance),
  }));
  if (fromClass && nodes.length) {
    nodes.push({ index: -1 });
    const { relevance } = graph.nodes[0]!;
    links.push({ source: nodes.length - 1, target: 0, index: -1, relevance, value: value(relevance) });
  }
  if (nodes.length === 0) return { nodes: [], links: [], columns: 0, height: 0 };
  const counts = new Map<number, number>();
  for (const depth of depths(nodes.length, links)) counts.set(depth, (counts.get(depth) ?? 0) + 1);
  const height = Math.max(smallest, Math.max(...counts.values()) * (cardHeight + 10));
  const laid = sankey<Bar, { index: number; relevance: number }>()
    .nodeAlign(sankeyLeft)
    .nodeWidth(barWidth)
    .nodePadding(cardHeight - 4)
    .nodeSort((a, b) => a.index - b.index)
    .extent([
      [0, cardHeight / 2 - 4],
      [Math.max(barWidth * 2, width - room), height - cardHeight / 2 + 4],
    ])({ nodes, links });
  const path = sankeyLinkHorizontal();
  return {
    nodes: laid.nodes.map(({ index, x0, x1, y0, y1, depth }) => ({
      index,
      x0: x0!,
      x1: x1!,
      y0: y0!,
      y1: y1!,
      column: depth!,
    })),
    links: laid.links.map((link) => ({
      index: link.index,
      path: path(link as never) ?? "",
      width: Math.max(1, link.width ?? 0),
      relevance: link.relevance,
    })),
    columns: counts.size,
    height,
  };
}

/** The longest way to each node from one that nothing leads to. */
function depths(count: number, links: { source: number; target: number }[]): number[] {
  const depth = new Array<number>(count).fill(0);
  // A graph of n nodes has no way longer than n; one more round changes nothing.
  for (let round = 0; round < count; round++) {
    for (const { source, target } of links) depth[target] = Math.max(depth[target]!, depth[source]! + 1);
  }
  return depth;
}
