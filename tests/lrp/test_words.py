"""What `check` says of each kind of step that is refused: in the words of those who write models, and so does whatever explains."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from xaiwidgets.graph import GraphError
from xaiwidgets.lrp import LRP, AbsLRP, check
from xaiwidgets.model import ImageModel

RECURRENT = "is recurrent, and relevance has no rule through recurrent layers here"
BROUGHT = "is an operator that its library brought, whose inner steps are not seen"


@torch.library.custom_op("xaiwidgets_tests::twice", mutates_args=())
def twice(x: Tensor) -> Tensor:
    return x * 2


@twice.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


class Rows(nn.Module):
    """A recurrent layer over the rows of an image, or a cell for one of them."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        found = self.layer(x[:, 0, 0] if isinstance(self.layer, nn.RNNCellBase) else x[:, 0])
        while isinstance(found, tuple):
            found = found[0]
        return found


class Does(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


# name -> what stands in the model, and how its refusal begins.
REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "lstm": (lambda: Rows(nn.LSTM(8, 8, batch_first=True)), f"nn.LSTM {RECURRENT}"),
    "gru": (lambda: Rows(nn.GRU(8, 8, batch_first=True)), f"nn.GRU {RECURRENT}"),
    "rnn": (lambda: Rows(nn.RNN(8, 8, batch_first=True)), f"nn.RNN {RECURRENT}"),
    "relu rnn": (lambda: Rows(nn.RNN(8, 8, nonlinearity="relu", batch_first=True)), f"nn.RNN {RECURRENT}"),
    "lstm cell": (lambda: Rows(nn.LSTMCell(8, 8)), f"nn.LSTMCell {RECURRENT}"),
    "gru cell": (lambda: Rows(nn.GRUCell(8, 8)), f"nn.GRUCell {RECURRENT}"),
    "rnn cell": (lambda: Rows(nn.RNNCell(8, 8)), f"nn.RNNCell {RECURRENT}"),
    "custom": (lambda: Does(twice), f"xaiwidgets_tests.twice {BROUGHT}"),
    "spectrum": (lambda: Does(lambda x: torch.fft.rfft2(x).abs()), "torch.fft.rfft2 computes with complex numbers"),
    "running product": (lambda: Does(lambda x: x.cumprod(1)), "torch.cumprod has no rule"),
    "determinant": (lambda: Does(torch.linalg.det), "torch.linalg.det has no rule"),
    "bessel": (lambda: Does(torch.special.bessel_j0), "torch.special.bessel_j0 has no rule"),
    "gamma": (lambda: Does(torch.lgamma), "torch.lgamma has no rule"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_said_as_people_write_it(name: str) -> None:
    make, begins = REFUSED[name]
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 3, 1), make(), nn.Flatten(1), nn.LazyLinear(4)).eval()
    x = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        module(x)
    model = ImageModel(module, input_size=8)
    report = check(model)
    assert not report.ok
    row = report.unsupported[0]
    assert row.layer.split(".")[0] == "1"
    assert row.note.startswith(begins)
    assert "explain a module that ends before it" in row.note
    assert "use what needs no rules (RELAX, RISE, Occlusion)" in row.note
    assert begins in str(report)
    for explain in (LRP(model), AbsLRP(model)):
        with pytest.raises(GraphError) as error:
            explain(x, 0)
        assert begins in str(error.value)
