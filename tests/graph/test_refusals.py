"""Modules that cannot become a graph: each is refused in one line that says what came and what to do; their like are not."""

from __future__ import annotations

import pytest
import torch
import torch.fx
from torch import Tensor, nn

from tests.versions import OLDER_TORCH
from xaiwidgets.graph import GraphError, export
from xaiwidgets.lrp import LRP
from xaiwidgets.model import ImageModel


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

    def scores(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).relu().mean((2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        return self.scores(x)


class Total(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.scores(x).sum()


class FirstOnly(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.scores(x)[:1]


class Label(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.scores(x).argmax(1)


class Branch(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.scores(x) if x.shape[0] <= 4 else -self.scores(x)


class Cond(Net):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda z: 2 * self.scores(z), lambda z: -self.scores(z), (x,))


class Mapped(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.vmap(torch.relu)(self.conv(x)).mean((2, 3)))


class Two(Net):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        return self.scores(x + y)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Total, r"Total gives shape \(\) for 2 images, which is not one answer for each: let the first axis"),
        (FirstOnly, r"FirstOnly gives shape \(1, 3\) for 2 images, which is not one answer for each"),
        (Label, r"Label gives numbers of int64.*let it return scores of floats"),
        (
            Branch,
            r"Branch treats more than 4 images at once another way than fewer: its code branches on the batch size",
        ),
        (Cond, r"Cond cannot become a graph: it calls torch.cond.*torch.where for a branch"),
        (Mapped, r"Mapped cannot become a graph: it calls torch.vmap.*a batch axis for vmap"),
        (Two, r"Two takes more than the images: .*'y'\. Wrap it in a module whose forward\(x\)"),
    ],
)
def test_what_cannot_be_explained_is_refused_by_name(kind: type[nn.Module], said: str) -> None:
    if OLDER_TORCH and kind in (Cond, Mapped):
        said = f"{kind.__name__} cannot become a graph: torch.export cannot trace it"
    with pytest.raises(GraphError, match=said) as error:
        ImageModel(kind().eval(), input_size=8).check()
    assert "\n" not in str(error.value)


class TwoWays(Net):
    """The same answer in another way, as kernels choose by the number of images."""

    def forward(self, x: Tensor) -> Tensor:
        return self.scores(x + x) if x.shape[0] > 4 else self.scores(2 * x)


def test_a_branch_that_answers_alike_takes_one_image_at_a_time() -> None:
    module = TwoWays().eval()
    model = ImageModel(module, input_size=8)
    x = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    assert model.check().ok
    torch.testing.assert_close(model.scores(x), module(x).detach())
    assert LRP(model)(x).heatmap.shape == (6, 8, 8)


def test_modules_without_weights(x: Tensor) -> None:
    with pytest.raises(GraphError, match=r"Net has no weights: 'conv.weight' is on the meta device.*'cpu'"):
        ImageModel(Net().eval().to("meta"), input_size=8).check()
    lazy = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten())
    with pytest.raises(GraphError, match=r"Sequential has no weights yet: '0.weight' is lazy. Call it on images once"):
        export(lazy, x)
    with pytest.raises(ValueError, match=r"module has no weights yet: its LazyConv2d is lazy; call it on images once"):
        ImageModel(lazy, input_size=8)
    late = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.LazyLinear(2)).eval()
    model = ImageModel(late, input_size=8)
    with pytest.raises(GraphError, match=r"'2.weight' is lazy"):
        model.check()
    torch.testing.assert_close(late(x).detach(), model.scores(x))
    lazy(x)
    assert ImageModel(lazy.eval(), input_size=8).channels == 3


def test_images_that_are_not_dense(x: Tensor) -> None:
    lrp = LRP(ImageModel(Net().eval(), input_size=8))
    with pytest.raises(ValueError, match=r"x is of layout torch.sparse_coo; give a dense tensor.*x.to_dense\(\)"):
        lrp(x.to_sparse())
    with pytest.raises(ValueError, match="x is on the meta device, without values"):
        lrp(x.to("meta"))


def test_programs_of_torch_export_answer_and_are_not_explained(x: Tensor) -> None:
    net = Net().eval()
    made = torch.export.export(net, (x,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)).module()
    model = ImageModel(made, input_size=8)
    torch.testing.assert_close(model.scores(x), net(x).detach())
    with pytest.raises(
        GraphError, match=r"no evaluation mode.*torch.export makes: give the torch.nn.Module it was made"
    ):
        model.check()


def test_modules_of_torch_fx(x: Tensor) -> None:
    net = Net().eval()
    model = ImageModel(torch.fx.symbolic_trace(net), input_size=8)
    torch.testing.assert_close(model.scores(x), net(x).detach())
    expected = LRP(ImageModel(net, input_size=8))(x, target=0).relevance
    torch.testing.assert_close(LRP(model)(x, target=0).relevance, expected)
    assert model.layers == ("conv", "head")


def test_one_output_of_a_module_of_torch_fx(x: Tensor) -> None:
    class Named(Net):
        def forward(self, x: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
            return {"features": self.conv(x), "logits": self.scores(x)}

    net = Named().eval()
    model = ImageModel(torch.fx.symbolic_trace(net), input_size=8, output="logits")
    torch.testing.assert_close(model.scores(x), net.scores(x).detach())
    assert model.check().ok
    assert model.layers == ("conv", "head")


def test_a_module_that_takes_one_image_only(x: Tensor) -> None:
    class Single(Net):
        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.conv(x).view(1, 4, 6, 6).mean((2, 3)))

    net = Single().eval()
    model = ImageModel(net, input_size=8)
    assert model.check().ok
    expected = torch.cat([net(image[None]) for image in x]).detach()
    torch.testing.assert_close(model.scores(x), expected)
    torch.testing.assert_close(LRP(model)(x, target=0).output, expected)
