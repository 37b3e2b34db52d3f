"""Global Attribution Evaluation: `parts` are its formulas, `measure` runs them over a data set, `result` answers. It imports the rest of
evaluate but flipping, and model, results, workers, errors."""

from xaiwidgets.evaluate.gae.measure import gae, stream_gae
from xaiwidgets.evaluate.gae.result import GaeResult

__all__ = ["GaeResult", "gae", "stream_gae"]
