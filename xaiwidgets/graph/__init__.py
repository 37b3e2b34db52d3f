"""A model as a graph of operations: export, forward runs, relevance down and its adjoint up.

graph = export(module, example)              # the module is not touched
graph.run(x)                                 # the model's output
graph.run(x, stop="layer4.1.conv2")          # the output of a layer
graph.to(torch.bfloat16, torch.channels_last)
"""

from xaiwidgets.graph.exporting import export
from xaiwidgets.graph.graph import Graph
from xaiwidgets.graph.operation import GraphError, Operation, Value

__all__ = ["Graph", "GraphError", "Operation", "Value", "export"]
