"""Detectors: one query or anchor of those that export, D-RISE's score of a box for those that do not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import xaiwidgets as xw
from tests.contract import assert_close
from tests.targets.nets import BLUE, RED, SIDE, THINGS, colour_detector, detector, images, two_things
from xaiwidgets import ImageModel
from xaiwidgets import targets as T
from xaiwidgets.graph import GraphError
from xaiwidgets.model.outputs import detections
from xaiwidgets.targets import TargetError, score_of
from xaiwidgets.targets.scores import overlap

LEFT, RIGHT = (8, 10, 28, 30), (34, 36, 56, 58)
"""Places inside a picture, away from its edges."""


def share(heat: Tensor, box: tuple[int, int, int, int]) -> float:
    """How much of the positive mass of a map (1, H, W) lies in a box."""
    left, top, right, bottom = box
    positive = heat[0].clamp(min=0)
    return float(positive[top:bottom, left:right].sum() / positive.sum())


@pytest.fixture(scope="module")
def colours() -> ImageModel:
    return colour_detector()


class TestQueries:
    def test_by_number_by_box_and_the_surest(self) -> None:
        model, x = detector(), images()
        output = model.output(x)
        assert output.shape == (2, 4, 4)
        for target, query, column in (
            (T.box(2, "cat"), 2, 1),
            (T.box((1, 9, 7, 15), "bird"), 2, 2),
            (T.box(torch.tensor([9, 0, 15, 7]), 0), 1, 0),
        ):
            score = score_of(model, output, target, x)
            torch.testing.assert_close(score(output), output[:, query, column])
        named = output[:, :, :3]  # a fourth column stands for "nothing"
        surest = score_of(model, output, None, x)
        torch.testing.assert_close(surest(output), named.amax((1, 2)))
        torch.testing.assert_close(score_of(model, output, "dog", x)(output), output[:, :, 0].amax(1))
        own = score_of(model, output, T.box(3), x)
        torch.testing.assert_close(own(output), named[:, 3].amax(1))

    def test_lrp_and_crp_of_one_query(self) -> None:
        model, x = detector(), images()
        start = torch.zeros_like(model.output(x))
        start[:, 2, 1] = model.output(x)[:, 2, 1]
        lrp = xw.LRP(model)
        found = lrp(x, T.box(2, "cat"))
        assert_close(found.relevance, lrp(x, start=start).relevance, 1e-6)
        # A query of the lower left quarter sees that quarter, and what the convolution's border shows of its neighbours.
        inside = found.heatmap[:, 7:, :9].abs().sum((1, 2)) / found.heatmap.abs().sum((1, 2))
        assert float(inside.min()) > 0.999
        assert xw.CRP(model)(x, T.box(2, "cat"), layer="features").heatmap.shape == (16, 16, 16)

    def test_boxes_of_ones_own_and_columns_of_yolos_kind(self) -> None:
        class Yolo(nn.Module):
            """(N, columns, anchors) or (N, anchors, columns): a box's centre and size in pixels, [objectness,] classes."""

            def __init__(self, first: int, transposed: bool) -> None:
                super().__init__()
                self.first, self.transposed, self.head = first, transposed, nn.Linear(3, 9 * 3)

            def forward(self, x: Tensor) -> Tensor:
                classes = self.head(x.mean((2, 3))).view(-1, 9, 3)
                grid = torch.arange(9.0)
                centres = torch.stack([grid % 3 * 5 + 3, (grid / 3).floor() * 5 + 3, grid * 0 + 5, grid * 0 + 5], 1)
                before = torch.cat([centres, torch.full((9, self.first - 4), 0.9)], 1)
                out = torch.cat([before.expand(x.shape[0], -1, -1), classes], 2)
                return out.transpose(1, 2) if self.transposed else out

        x = images()
        for first in (4, 5):
            for transposed in (False, True):
                torch.manual_seed(0)
                model = ImageModel(
                    Yolo(first, transposed).eval(),
                    input_size=16,
                    channels=3,
                    class_names=("a", "b", "c"),
                    mean=0,
                    std=1,
                )
                output = model.output(x)
                table = output.transpose(1, 2) if transposed else output
                for target in (T.box(4, "b"), T.box((6, 6, 11, 11), "b")):
                    score = score_of(model, output, target, x)
                    torch.testing.assert_close(score(output), table[:, 4, first + 1])
                    assert score.names[0] == "b of box 4"
                assert xw.GradientXInput(model)(x, T.box(4, "b")).relevance.abs().max() > 0

    def test_boxes_elsewhere(self) -> None:
        x = images()
        moved = detector(boxes=_quarters)
        score = score_of(moved, moved.output(x), T.box((1, 9, 7, 15), "bird"), x)
        torch.testing.assert_close(score(moved.output(x)), moved.output(x)[:, 1, 2])
        logits = detector(output=lambda out: out["logits"], boxes="logits")
        with pytest.raises(ValueError, match="overlaps with no box"):
            score_of(logits, logits.output(x), T.box((100, 100, 120, 120), "bird"), x)

        class Bare(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x.flatten(2).transpose(1, 2)

        bare = ImageModel(Bare().eval(), input_size=16, channels=3, mean=0, std=1)
        with pytest.raises(
            TargetError, match=r"gives none that are known; give the number of the query, or ImageModel"
        ):
            score_of(bare, bare.output(x), T.box((1, 1, 5, 5), 0), x)


class TestDetections:
    def test_as_one_tensor(self, colours: ImageModel) -> None:
        output = colours.output(two_things())
        assert colours.detects
        assert output.shape == (1, 100, 6)
        assert output[0, :2].tolist() == [[*map(float, RED), 1.0, 1.0], [*map(float, BLUE), 1.0, 2.0]]
        assert (output[0, 2:] == torch.tensor([0.0, 0, 0, 0, 0, -1])).all()
        none = detections([{"boxes": torch.zeros(0, 4), "scores": torch.zeros(0), "labels": torch.zeros(0)}], most=3)
        assert (none[..., 5] == -1).all()

    def test_d_rises_score(self, colours: ImageModel) -> None:
        x = two_things()
        output = colours.output(x)
        shifted = (4, 0, 32, 28)
        iou = 24 / 32
        for target, expected in (
            (T.box(RED, "red square"), 1.0),
            (T.box(shifted, "red square"), iou),
            (T.box(shifted), iou),
            (T.box(1), 1.0),
            (T.box(RED, "blue square"), 0.0),
            ("blue square", 1.0),
            (None, 1.0),
        ):
            assert float(score_of(colours, output, target, x)(output)) == pytest.approx(expected, abs=1e-6)
        half = x.clone()
        half[:, 0] *= 0.7
        found = float(score_of(colours, output, T.box(0), x)(colours.output(half)))
        assert found == pytest.approx(0.7, abs=1e-6)

    @pytest.mark.parametrize(("box", "name"), [(RED, "red square"), (BLUE, "blue square")])
    def test_rise_of_a_box_finds_its_object(self, colours: ImageModel, box: Any, name: str) -> None:
        found = xw.RISE(colours, cells=8)(two_things(), T.box(box, name), progress=False)
        # A cell of a mask is wider than a pixel: what is beside an object lights up a little.
        assert share(found.relative_importance, box) >= 0.8
        assert found.provenance.parameters["target"] == str(T.box(box, name))
        drop = xw.Occlusion(colours, size=8, stride=4)(two_things(), T.box(box, name)).heatmap
        assert share(drop, box) >= 0.8

    @pytest.mark.parametrize(("box", "name"), [(LEFT, "red square"), (RIGHT, "blue square")])
    def test_rise_of_a_box_inside_the_picture(self, colours: ImageModel, box: Any, name: str) -> None:
        """The corners help: a mask's cells reach beyond the object on two sides only. With objects inside the picture it takes D-RISE's
        16 cells, and what is within the estimate's own error is not counted: 83 and 87 % of the rest lie in the box. All positive
        values, those of noise among them, have two thirds there."""
        x = torch.zeros(1, 3, SIDE, SIDE)
        for number, (left, top, right, bottom) in ((0, LEFT), (2, RIGHT)):
            x[:, number, top:bottom, left:right] = 1.0
        found = xw.RISE(colours, cells=16, n_masks=4096, keep=0.7, masks="random")(x, T.box(box, name), progress=False)
        assert share(found.beyond_error(), box) >= 0.8
        assert 0.6 <= share(found.relative_importance, box) < 0.75
        other = RIGHT if box == LEFT else LEFT
        assert share(found.beyond_error(), other) < 0.05
        # Small windows find it without any noise.
        drop = xw.Occlusion(colours, size=6, stride=3)(x, T.box(box, name)).heatmap
        assert share(drop, box) >= 0.8

    def test_curves_and_what_needs_a_graph(self, colours: ImageModel) -> None:
        x = two_things()
        heat = torch.zeros(1, SIDE, SIDE)
        heat[:, RED[1] : RED[3], RED[0] : RED[2]] = 1
        curves = xw.pixel_flipping(
            colours, x, {"truth": heat}, target=T.box(RED, "red square"), perturb="zero", random=1, progress=False
        )
        assert float(curves.auc["truth"]) < float(curves.auc["random"])
        with pytest.raises(
            GraphError, match=r"ColourDetector cannot become a graph.* RISE and Occlusion need no graph"
        ):
            xw.LRP(colours)(x, T.box(RED, "red square"))

    @pytest.mark.parametrize(
        ("target", "message"),
        [
            (T.box(5), "is out of range; .* gives 2 detections: give 0 to 1, or a box"),
            (T.box((40, 0, 50, 4)), "detects nothing in that box of image 0; name its class too"),
            (T.box(None, "__background__"), "detects none in image 0; give a box as well"),
            (T.box(0, "green square"), "target='green square' is not known"),
            (T.box((1, 2, 3), "red square"), r"a box is \(left, top, right, bottom\) in pixels"),
            (T.region("red square"), r"is about maps \(N, classes, H, W\)"),
        ],
    )
    def test_what_does_not_fit(self, colours: ImageModel, target: Any, message: str) -> None:
        output = colours.output(two_things())
        with pytest.raises(ValueError, match=message):
            score_of(colours, output, target, two_things())
        if target.__class__.__name__ == "Box" and target.which == 5:
            empty = torch.zeros(1, 3, SIDE, SIDE)
            with pytest.raises(TargetError, match=r"detects nothing in image 0; give a box .* and its class"):
                score_of(colours, colours.output(empty), target, empty)


def _quarters(out: Any) -> Tensor:
    """The detector's own boxes in another order, as corners in pixels."""
    centres = out["pred_boxes"].flip(1)[..., :2] * 16
    return torch.cat([centres - 4, centres + 4], -1)


def test_overlap() -> None:
    boxes = torch.tensor([[0.0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 6, 6], [1, 1, 1, 1]])
    assert overlap(boxes, boxes[:1]).tolist() == pytest.approx([1.0, 1 / 7, 0.0, 0.0])
    assert overlap(boxes[3], boxes[3]) == 0


def test_a_detector_of_torchvisions() -> None:
    from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn

    torch.manual_seed(0)
    module = fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=3, min_size=64, max_size=64, box_score_thresh=0.0
    )
    model = ImageModel(module.eval(), input_size=64, class_names=THINGS, mean=0, std=1)
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    output = model.output(x)
    with torch.no_grad():
        (own,) = module(x)
    count = len(own["boxes"])
    assert count > 0
    torch.testing.assert_close(output[0, 0, :4], own["boxes"][0])
    for explainer in (
        xw.RISE(model, n_masks=4, cells=2, masks="random", batch_size=4),
        xw.Occlusion(model, size=32, stride=32),
    ):
        found = explainer(x, T.box(0))
        assert found.heatmap.shape == (1, 64, 64)
        assert torch.isfinite(found.heatmap).all()
