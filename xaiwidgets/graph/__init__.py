"""The graph room: a model as a graph of operations, with forward runs, relevance down and its adjoint up, under conditions. It may
import errors only: rules (room lrp) and models (room model) know the graph, not the other way round.

    graph = export(module, example)              # the module is not touched
    graph.run(x)                                 # the model's output
    graph.run(x, stop="layer4.1.conv2")          # the output of a layer
    graph.to(torch.bfloat16, torch.channels_last)

Values go by the name of the layer that gives them ("layer4.1.conv2"; a block is its last step), of a step
("scaled_dot_product_attention_3"), of an attention module's heads ("blocks.3.attn:heads"), "input", "output", or by index.
A batch norm that was folded shares its convolution's value. `unfolded(graph)` is the model with every batch norm a step of its
own; what the two have alike is there once.

    propagator = Propagator(graph, assign(make_composite("epsilon_plus_flat"), graph))     # both from xaiwidgets.lrp
    record = propagator.record(x, keep=["layer4.1.conv2"], memory=True)   # one forward pass; memory=True: several passes follow
    record.output, record.values[graph.index("layer4.1.conv2")]           # recorded activations, (N, …)

Relevance has one axis of rows K before the batch: (K, N, …). Activations have none and are broadcast, never repeated.

    start = {"output": one_hot * record.output}                            # (K or 1, N, classes); any layers may be starts
    propagator.down(record, start, to=["layer4.1.conv2", "input"])         # {name: (K, N, *shape)}
    limits = conditions(graph, record, [{"layer4.1.conv2": [5]}, {"layer4.1.conv2": [42], "layer3": [1, 2]}])
    propagator.down(record, start, to=["input"], conditions=limits, chunk=32)

All rows share the way from the start to their first condition where the start has one row; below it they go as one batch, `chunk`
rows at a time. A value named by `to` is read after its own mask. `conditions(..., exclude_parallel=True)` lets relevance pass only
through the named layers.

    up = propagator.up(record, {"input": region[None]}, to=["layer4.1.conv2", ...])
    share = up[layer] * relevance[layer]      # of the relevance at each entry of the layer, what flows into the region

⟨v, down(R)⟩ = ⟨up(v), R⟩ for every composite whose rules are linear in relevance (all but abs_lrp).
`channel_axis(graph, layer)` is the axis of a recorded value (N, …) along which concepts lie; in (K, N, …) it is one further right.
"""

from xaiwidgets.graph.attention import Attention, attentions
from xaiwidgets.graph.conditions import channel_axis, conditions, units
from xaiwidgets.graph.exporting import export
from xaiwidgets.graph.graph import Graph
from xaiwidgets.graph.operation import GraphError, Operation, Value
from xaiwidgets.graph.propagate import Masks, Propagator, Record
from xaiwidgets.graph.reach import Reach
from xaiwidgets.graph.sharing import own_bytes, sharing
from xaiwidgets.graph.space import Space, bottlenecks, grids, mixture, noise, pictures, space_of
from xaiwidgets.graph.unfolding import unfolded

__all__ = [
    "Attention",
    "Graph",
    "GraphError",
    "Masks",
    "Operation",
    "Propagator",
    "Reach",
    "Record",
    "Space",
    "Value",
    "attentions",
    "bottlenecks",
    "channel_axis",
    "conditions",
    "export",
    "grids",
    "mixture",
    "noise",
    "own_bytes",
    "pictures",
    "sharing",
    "space_of",
    "unfolded",
    "units",
]
