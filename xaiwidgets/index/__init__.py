"""The index room: for every concept, the samples of a data set that show it best, and their pictures.

It may import crp, lrp, graph, model, results, workers, errors. `data` reads samples, `request` says what an index is of, `build` makes it
in shards (`topk` merges, `storage` keeps), `reference_index` answers, `pictures` draws the samples.
"""

from xaiwidgets.index.pictures import ReferenceImages, references
from xaiwidgets.index.reference_index import Progress, ReferenceIndex
from xaiwidgets.index.results import ClassUse, References

__all__ = ["ClassUse", "Progress", "ReferenceImages", "ReferenceIndex", "References", "references"]
