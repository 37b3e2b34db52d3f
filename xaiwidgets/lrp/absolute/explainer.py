"""absLRP: relative absolute magnitude propagation, contrasted against all other classes (doi 10.1145/3649458)."""

from __future__ import annotations

from typing import Any, Self

from torch import nn

from xaiwidgets.errors import check_keywords
from xaiwidgets.lrp.explainer import LRP
from xaiwidgets.model import ImageModel
from xaiwidgets.results import Control

__all__ = ["AbsLRP"]


class AbsLRP(LRP):
    """absLRP of any model the engine takes; both rows of the contrast go down together. `LRP(model, "abs_lrp")` is the same.

    Calls are as those of `LRP`: `(x, target=None, layers=())`. Each map is divided by its largest magnitude. With `against`, the
    second row starts from that class instead of from all others.

    Example:
        >>> result = xw.AbsLRP(model)(x)
        >>> result.heatmap.shape, result.relevance.abs().amax((1, 2, 3)).tolist()
        (torch.Size([2, 64, 64]), [1.0, 1.0])
    """

    def __init__(
        self, model: ImageModel | nn.Module, *, batch: int = 16, precision: str = "float32", epsilon: float = 1e-9
    ) -> None:
        parameters = {} if epsilon == 1e-9 else {"epsilon": epsilon}
        super().__init__(model, "abs_lrp", start="one", batch=batch, precision=precision, **parameters)

    def with_parameters(self, **changes: Any) -> Self:
        """The same explainer with another `epsilon`."""
        check_keywords("with_parameters", changes, ["epsilon"])
        return type(self)(self.model, batch=self.batch, precision=self.precision, **(self.parameters | changes))

    def controls(self) -> list[Control]:
        return []
