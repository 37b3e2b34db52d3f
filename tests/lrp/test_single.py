"""Models that can be traced for a single image only: every method takes them, image by image."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from xaiwidgets.baselines import GradientXInput
from xaiwidgets.crp import CRP
from xaiwidgets.lrp import LRP, AbsLRP, check
from xaiwidgets.model import ImageModel
from xaiwidgets.relax import RELAX


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 8, 3, stride=2)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv2(self.conv1(x).relu()).relu().mean((2, 3)))


class Looped(Plain):
    """The same by a loop over its images, whose number an export then fixes."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([super(Looped, self).forward(image[None])[0] for image in x])


@pytest.fixture
def models() -> tuple[ImageModel, ImageModel]:
    torch.manual_seed(0)
    plain, looped = Plain().eval(), Looped().eval()
    looped.load_state_dict(plain.state_dict())
    return tuple(ImageModel(net, input_size=12, mean=0.0, std=1.0) for net in (plain, looped))  # type: ignore[return-value]


def test_all_methods_give_what_they_give_for_a_model_without_a_fixed_batch(
    models: tuple[ImageModel, ImageModel],
) -> None:
    x, (plain, looped) = torch.randn(3, 3, 12, 12, generator=torch.Generator().manual_seed(1)), models
    assert looped.graph.single
    assert check(looped).ok
    assert torch.allclose(plain.scores(x), looped.scores(x), atol=1e-6)

    def equal(a: Tensor, b: Tensor) -> bool:
        return a.shape == b.shape and torch.allclose(a, b, rtol=1e-3, atol=1e-5 * float(a.abs().max()))

    for explainer in (LRP, AbsLRP, GradientXInput):
        one, other = (explainer(model)(x, [0, 1, 2]) for model in (plain, looped))
        assert equal(one.relevance, other.relevance)
    one, other = (LRP(model)(x, 2, layers=["conv1", "conv2"]) for model in (plain, looped))
    assert one.conservation is not None
    assert other.conservation is not None
    assert other.conservation.input == pytest.approx(one.conservation.input, rel=1e-3, abs=1e-5)
    for layer in ("conv1", "conv2"):
        assert equal(one.layers[layer], other.layers[layer])
        assert equal(one.activations[layer], other.activations[layer])
    several, others = (LRP(model).classes(x, [0, 3]) for model in (plain, looped))
    assert all(equal(a.relevance, b.relevance) for a, b in zip(several, others, strict=True))
    crps = [CRP(model) for model in (plain, looped)]
    ranks = [crp.rank(x, target=1, layer="conv2") for crp in crps]
    assert equal(ranks[0].relevance, ranks[1].relevance)
    rows = [{"y": [1], "conv2": [0]}, {"y": [1], "conv1": [2], "conv2": [3]}]
    maps = [crp.attribute(x[:1], conditions=rows).heatmap for crp in crps]
    assert equal(maps[0], maps[1])
    boxes = [crp.region(x, (2, 2, 8, 8), target=1) for crp in crps]
    assert all(equal(boxes[0].relevance[layer], boxes[1].relevance[layer]) for layer in ("conv1", "conv2"))
    relax = [
        RELAX(model, n_masks=16, masks="random", layer="output")(x, progress=False).importance
        for model in (plain, looped)
    ]
    assert equal(relax[0], relax[1])
