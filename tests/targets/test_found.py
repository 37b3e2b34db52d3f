"""What a model finds by itself, and how much of a box is still found (D-RISE): numbers by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.targets.nets import RED, colour_detector, colour_segmenter, detector, images, segmenter, two_things
from xaiwidgets import RISE, ImageModel
from xaiwidgets import targets as T
from xaiwidgets.model.outputs import detections
from xaiwidgets.targets import TargetError, score_of
from xaiwidgets.targets.scores import overlap

BOXES = torch.tensor([[8.0, 8, 8, 8], [9, 8, 8, 8], [3, 3, 4, 4], [12, 12, 4, 4], [2, 14, 1, 1], [14, 2, 1, 1]])
"""Centre and size, in pixels of 16."""
CLASSES = torch.tensor(
    [[0.9, 0.2, 0.0], [0.8, 0.3, 0.0], [0.1, 0.7, 0.1], [0.3, 0.3, 0.95], [0.1, 0.1, 0.1], [0.1, 0.1, 0.1]]
)
SURE = torch.tensor([0.9, 0.5, 0.8, 0.05, 0.01, 0.01])


class Fixed(nn.Module):
    """The same output for every image, times its mean."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.register_buffer("answer", output)

    def forward(self, x: Tensor) -> Tensor:
        return self.get_buffer("answer")[None] * x.mean((1, 2, 3))[:, None, None]


def anchors(*columns: Tensor, transposed: bool = False, **options: Any) -> tuple[ImageModel, Tensor]:
    """A model of boxes and classes, and an image of which it says just what the columns say."""
    table = torch.cat(columns, 1)
    model = ImageModel(
        Fixed(table.T if transposed else table).eval(),
        input_size=16, channels=3, class_names=("a", "b", "c"), mean=0, std=1, **options,
    )  # fmt: skip
    return model, torch.ones(1, 3, 16, 16)


def by_hand(box: int, vector: Tensor, sure: Tensor) -> float:
    """D-RISE's score of the untouched picture, slowly."""
    best = 0.0
    corners = [(x - w / 2, y - h / 2, x + w / 2, y + h / 2) for x, y, w, h in BOXES.tolist()]
    left, top, right, bottom = corners[box]
    for sides, classes, objectness in zip(corners, CLASSES, sure.tolist(), strict=True):
        shared = max(0.0, min(sides[2], right) - max(sides[0], left)) * max(
            0.0, min(sides[3], bottom) - max(sides[1], top)
        )
        union = (sides[2] - sides[0]) * (sides[3] - sides[1]) + (right - left) * (bottom - top) - shared
        cosine = float(classes @ vector) / float(classes.norm() * vector.norm())
        best = max(best, shared / union * cosine * objectness)
    return best


class TestDRise:
    @pytest.mark.parametrize("transposed", [False, True])
    def test_boxes_objectness_and_classes(self, transposed: bool) -> None:
        model, x = anchors(BOXES, SURE[:, None], CLASSES, transposed=transposed)
        output = model.output(x)
        for box in range(4):
            score = score_of(model, output, T.box(box), x)
            assert float(score.probability(output)) == pytest.approx(by_hand(box, CLASSES[box], SURE), abs=1e-6)
            # Relevance is shared out from the class's logit of the one anchor.
            assert float(score(output)) == pytest.approx(float(CLASSES[box].max()))
            named = score_of(model, output, T.box(box, "b"), x)
            only_b = torch.tensor([0.0, 1.0, 0.0])
            assert float(named.probability(output)) == pytest.approx(by_hand(box, only_b, SURE), abs=1e-6)
        # By coordinates the nearest anchor is meant.
        near = score_of(model, output, T.box((4, 4, 12, 12), "a"), x)
        assert near.names == ("a of box 0",)

    def test_the_surest_has_an_object(self) -> None:
        model, x = anchors(BOXES, SURE[:, None], CLASSES)
        output = model.output(x)
        # Anchor 3 is surest of its class, and finds nothing.
        assert score_of(model, output, None, x).names == ("a of box 0",)
        assert score_of(model, output, "c", x).names == ("c of box 2",)
        found = T.found_boxes(model, output, x)
        assert found is not None
        assert [box.number for box in found] == [0, 2, 3], (
            "anchor 1 is anchor 0 again, anchor 3 is told for want of others"
        )
        assert [box.share for box in found] == pytest.approx([0.81, 0.56, 0.0475])
        assert found[1].box == (1.0, 1.0, 5.0, 5.0)

    def test_without_objectness_the_likeliest_class_says_how_sure(self) -> None:
        model, x = anchors(BOXES, CLASSES)
        output = model.output(x)
        score = score_of(model, output, T.box(2), x)
        assert float(score.probability(output)) == pytest.approx(by_hand(2, CLASSES[2], CLASSES.amax(1)), abs=1e-6)

    def test_logits_beside_boxes_are_classes_each_for_itself(self) -> None:
        model, x = anchors(BOXES, SURE.logit()[:, None], CLASSES.clamp(0.01, 0.99).logit())
        found = T.found_boxes(model, model.output(x), x)
        assert found is not None
        assert [box.share for box in found] == pytest.approx([0.81, 0.56, 0.0475], abs=1e-4)

    def test_queries_alone_have_the_probability_of_the_class(self) -> None:
        model, x = detector(), images()
        output = model.output(x)
        score = score_of(model, output, T.box(2, "cat"), x)
        torch.testing.assert_close(score.probability(output), output.softmax(2)[:, 2, 1])
        torch.testing.assert_close(
            score.of([0, 0, 1]).probability(output[[0, 0, 1]]), output.softmax(2)[[0, 0, 1], 2, 1]
        )

    def test_detections_with_class_probabilities(self) -> None:
        shares = torch.tensor([[0.7, 0.3, 0.0], [0.0, 0.4, 0.6]])
        boxes = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10]])
        image = {"boxes": boxes, "scores": shares.amax(1), "labels": shares.argmax(1), "probabilities": shares}
        output = detections([image], most=3)
        assert output.shape == (1, 3, 9)
        model = colour_detector()
        model.output(two_things())
        own = score_of(model, output, T.box(1), two_things())
        other = float(overlap(boxes[0], boxes[1])) * float(torch.cosine_similarity(shares[0], shares[1], 0))
        assert float(own(output)) == pytest.approx(1.0)
        assert float(own(output[:, :1])) == pytest.approx(other)
        named = score_of(model, output, T.box((0, 0, 10, 10), 2), two_things())
        cosines = [0.0, 0.6 / float(shares[1].norm())]
        assert float(named(output)) == pytest.approx(float(overlap(boxes[0], boxes[1])) * cosines[1])
        model.class_names = None
        with pytest.raises(TargetError, match=r"is class 5; detections have probabilities of 3 classes"):
            score_of(model, output, T.box((0, 0, 10, 10), 5), two_things())

    def test_rise_follows_it(self) -> None:
        model, x = anchors(BOXES, SURE[:, None], CLASSES)
        found = RISE(model, n_masks=8, cells=2, masks="random")(x, T.box(0), progress=False)
        assert float(found.importance.max()) <= by_hand(0, CLASSES[0], SURE) + 1e-6


class TestFound:
    def test_of_maps_the_class_at_each_place(self) -> None:
        model, x = colour_segmenter(), two_things()
        output = model.output(x)
        found = T.predicted_classes(model, output)
        assert found is not None
        assert torch.equal(found, output.argmax(1))
        assert found[0, 5, 5] == 1
        assert T.found_boxes(model, output, x) is None
        assert T.class_count(model, output) == 3

    def test_of_detections_the_boxes_themselves(self) -> None:
        model, x = colour_detector(), two_things()
        output = model.output(x)
        found = T.found_boxes(model, output, x)
        assert found is not None
        assert (found[0].box, found[0].label, found[0].share) == (tuple(map(float, RED)), 1, 1.0)
        assert len(found) == 2
        assert T.predicted_classes(model, output) is None
        assert T.class_count(model, output) is None
        nothing = torch.zeros(1, 3, 64, 64)
        assert T.found_boxes(model, model.output(nothing), nothing) == []

    def test_boxes_that_nobody_knows(self) -> None:
        bare = detector(output=lambda out: out["logits"], boxes=lambda out: out["pred_boxes"] * 16)
        x = images(1)
        found = T.found_boxes(bare, bare.output(x), x)
        assert found is not None
        assert len(found) == 4
        assert T.class_count(bare, bare.output(x)) == 4
        assert T.class_count(segmenter(), segmenter().output(x)) == 4
