"""What is explained: a scalar function of the model's output, one number an image.

A class is a target, by index or name, as is any function of the output. What else can be asked about:

    from xaiwidgets import targets as T

    T.region("road", mask=box)           # segmentation: the class's logits in a box, a mask, around a point, or where it is predicted
    T.similarity(vector)                 # embeddings: cosine or dot product with an image's or a text's representation
    T.value(2, against=0.5)              # regression: an output relative to a reference value
    T.box(17, "dog")                     # detection: one query's score; a box (left, top, right, bottom) finds its query
    lambda out: out[:, 3] - out[:, 5]    # outputs (N, …) -> one number each, (N,)
    T.region("road", box) - T.region("sky", box)

Any of these goes wherever a class does: into explainers, CRP, evaluation and widgets, one for all images or a list of one each.

The room may import errors only. Explainers ask it what is explained (`score_of`); models know nothing of it, and answer what
`Answering` lists.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor

from xaiwidgets.errors import unknown
from xaiwidgets.targets.asking import entries, is_classes, said, score_of, target_of, told
from xaiwidgets.targets.found import Found, class_count, found_boxes, gives_boxes, gives_maps, predicted_classes
from xaiwidgets.targets.kinds import Box, Class, Region, Similarity, Value, number
from xaiwidgets.targets.regions import region_weights
from xaiwidgets.targets.score import Score, TargetError, together
from xaiwidgets.targets.segments import around
from xaiwidgets.targets.target import Answering, Fixed, Function, Target

__all__ = [
    "Answering",
    "Fixed",
    "Found",
    "Function",
    "Score",
    "Target",
    "TargetError",
    "around",
    "box",
    "class_",
    "class_count",
    "entries",
    "found_boxes",
    "function",
    "gives_boxes",
    "gives_maps",
    "is_classes",
    "predicted_classes",
    "region",
    "region_weights",
    "said",
    "score_of",
    "similarity",
    "target_of",
    "together",
    "told",
    "value",
]


def class_(target: Any) -> Target:
    """A class's logit, of scores (N, classes). The class alone, by index or name, says the same; this one can be weighed and subtracted.

    Args:
        target: index or name.
    """
    return Class(target)


def region(target: Any = None, mask: Any = None) -> Target:
    """A class's logits in a part of the image, added up, of maps (N, classes, H, W) or of a single map (N, H, W).

    Args:
        target: the class, by index or name; None for the one predicted there, other than the background where there is another.
        mask: where: a box (left, top, right, bottom) in pixels of the image, right and bottom exclusive; a mask (H, W), or one an
            image (N, H, W), True inside or weights; a point (x, y), for the connected part around it in which the class is
            predicted; None for wherever the class is predicted.

    Raises (once images are explained):
        TargetError: another output; an unknown class; nothing in the region, or a class that is predicted nowhere.
    """
    return Region(target, mask)


def value(index: Any = 0, against: Any = 0.0) -> Target:
    """An output of a regression relative to a reference value, z − y₀: why more than y₀, where it is more?

    Args:
        index: which output (N, outputs), by number or name. against: y₀, or one an image.
    """
    return Value(index, number("against", against))


def similarity(vector: Any, kind: Literal["cosine", "dot"] = "cosine", *, name: str | None = None) -> Target:
    """Likeness of a representation (N, D) to that of an image or a text.

    Args:
        vector: (D,), or one an image (N, D), from whatever shares the space; or an image (N, C, H, W) as the model takes it.
        kind: "cosine", or "dot" for the dot product. name: what the vector stands for, such as "a photo of a dog".
    """
    if kind not in ("cosine", "dot"):
        raise unknown("kind", kind, ("cosine", "dot"))
    return Similarity(vector, kind, name)


def box(which: Any = None, target: Any = None) -> Target:
    """The score of a box that a detector finds.

    Of queries or anchors (N, queries, classes) it is the class's logit of one query; what counts probabilities (RISE, curves) takes the
    class's, and where boxes stand beside classes, as YOLO gives them, D-RISE's score: the largest IoU × cosine of class probabilities ×
    objectness of any anchor. Of a list of detections, as torchvision's detectors give, it is D-RISE's score as well, which needs forward
    passes only: RISE and Occlusion. Detections that have "probabilities" (K, classes) are compared by these, others by their label.

    Args:
        which: number of the query, anchor or detection; a box (left, top, right, bottom) in pixels, matched with the model's own by
            IoU; None for the surest (of the class).
        target: the class, by index or name; None for the one that the box has.
    """
    return Box(which, target)


def function(score: Callable[[Tensor], Tensor], name: str | None = None) -> Target:
    """A function of the output, (N, …) -> (N,), with a name of its own. A bare function is a target as well."""
    if not callable(score):
        raise TypeError(f"score is {type(score).__name__}; give a function of the output (N, …) that gives (N,)")
    found: Function = target_of(score)
    return found if name is None else Function(score, name)
