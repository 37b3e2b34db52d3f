/** What a concept is made of: the class on the left, the concept, and the lower concepts that feed it. */
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { HelpButton } from "../../shared/controls/help.tsx";
import { formatNumber } from "../../shared/data/format.ts";
import { help } from "../../shared/data/words.ts";
import type { Graph } from "../state/results.ts";
import { useStore } from "./context.ts";
import { layoutGraph, type PlacedNode } from "./graph-layout.ts";
import { signedPercent } from "./list.tsx";
import { Thumb } from "./thumb.tsx";

export function GraphPanel() {
  const store = useStore();
  const { result } = store.graph.value;
  return (
    <section class="xw-graph" aria-label="Concept graph">
      <div class="xw-graph-head">
        <h3>
          What it is made of <HelpButton of="What it is made of" help={help.graph} />
        </h3>
        <Trail />
      </div>
      {result ? (
        <GraphDrawing graph={result} />
      ) : (
        <p class="xw-hint">{waitingText(store.canCompute.value)}</p>
      )}
    </section>
  );
}

function waitingText(canCompute: boolean): string {
  return canCompute ? "following the concept down…" : "Not saved here: following a concept needs a kernel.";
}

/** The way down from the class to here, each step a way back. */
function Trail() {
  const store = useStore();
  const { trail } = store.state;
  const focus = store.focus.value.result;
  const layer = store.layer.value;
  const concept = store.concept.value;
  return (
    <nav class="xw-trail" aria-label="Way down the graph">
      <button
        type="button"
        class="xw-button xw-icon"
        aria-label="Up"
        title="Back up"
        disabled={trail.value.length === 0}
        onClick={() => store.walkUp()}
      >
        ↑
      </button>
      <ol>
        {focus && <li>{store.targetName(focus.target)}</li>}
        {trail.value.map(([of, id], place) => (
          <li key={`${of} ${id}`}>
            <button type="button" class="xw-link" onClick={() => store.walkUp(place)}>
              {store.names.nameOf(of, id)} <small>{of}</small>
            </button>
          </li>
        ))}
        {layer && concept !== null && (
          <li aria-current="step">
            {store.names.nameOf(layer.name, concept)} <small>{layer.name}</small>
          </li>
        )}
      </ol>
    </nav>
  );
}

const narrow = 760; // px; below it, cards are small

function GraphDrawing({ graph }: { graph: Graph }) {
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const size = new ResizeObserver(([entry]) => setWidth(Math.round(entry!.contentRect.width)));
    size.observe(frame.current!);
    return () => size.disconnect();
  }, []);
  const layout = useMemo(() => {
    const cards = width < narrow ? { card: 104, name: 64 } : { card: 164, name: 110 };
    return layoutGraph(graph, { width, ...cards });
  }, [graph, width]);
  return (
    <div ref={frame} class="xw-graph-frame" style={{ height: `${layout.height}px` }}>
      {width > 0 && (
        <>
          <svg width={width} height={layout.height} aria-hidden="true">
            {layout.links.map(({ index, path, width: thick, relevance }) => (
              <path key={index} d={path} data-sign={relevance < 0 ? "minus" : "plus"} stroke-width={thick}>
                <title>{formatNumber(relevance)}</title>
              </path>
            ))}
            {layout.nodes.map(({ index, x0, x1, y0, y1 }) => (
              <rect key={index} x={x0} y={y0} width={x1 - x0} height={Math.max(2, y1 - y0)} rx={3} />
            ))}
          </svg>
          {layout.nodes.map((node) => (
            <NodeCard key={node.index} node={node} graph={graph} />
          ))}
        </>
      )}
    </div>
  );
}

/** A node's picture, name and number; pressing it goes there. */
function NodeCard({ node, graph }: { node: PlacedNode; graph: Graph }) {
  const store = useStore();
  const style = {
    left: `${node.x0}px`,
    top: `${(node.y0 + node.y1) / 2}px`,
    width: `${node.x1 - node.x0}px`,
  };
  const of = graph.nodes[node.index];
  if (!of || of.layer === "output") {
    const focus = store.focus.value.result;
    const name = focus ? store.targetName(focus.target) : "class";
    return (
      <span class="xw-node xw-node-class" style={style} title={name}>
        <span>{name}</span>
      </span>
    );
  }
  const { layer, concept, relevance, share } = of;
  const root = node.index === 0;
  const label = store.names.label(layer, concept);
  const name = store.names.nameOf(layer, concept);
  const said = `${name} ${layer}: ${signedPercent(share)} of its layer, relevance ${formatNumber(relevance)}`;
  return (
    <button
      type="button"
      class="xw-node"
      data-layer={layer}
      data-concept={concept}
      data-relevance={relevance}
      aria-current={root ? "true" : undefined}
      aria-label={root ? said : `Go down to ${said}`}
      title={said}
      style={style}
      onClick={() => store.walkDown(layer, concept)}
    >
      <Thumb layer={layer} concept={concept} />
      <span class="xw-node-text">
        <span class="xw-node-name">{label?.name || concept}</span>{" "}
        <small class="xw-node-layer">
          <bdi>{layer}</bdi>
        </small>
      </span>
    </button>
  );
}
