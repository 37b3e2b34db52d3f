"""Which tensor of whatever a module returns is explained; boxes and detections beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.graph import GraphError

__all__ = ["DEFAULTS", "DETECTIONS", "OutputError", "Selection", "boxes_of", "detections", "entries_of", "some_numbers"]

DEFAULTS = ("logits", "out", "image_embeds", "pooler_output", "predicted_depth", "last_hidden_state")
"""Names under which modules return what they are for, the first that is there first: scores before representations."""
DETECTIONS = 100
"""Detections kept of an image, those of the highest score; fewer are filled up with rows of score 0."""


class OutputError(GraphError, ValueError):
    """What a module returns is not one tensor, or not the one that was named. Says what came and what to give."""


class Selection:
    """The one tensor of whatever a module returns: a function that may travel to workers, and be traced.

    Args:
        given: None for the default: a tensor as it is, the only tensor in a container, the first of `DEFAULTS`, or a list of
            detections {"boxes", "labels", "scores"}, as torchvision's detectors give. Else a name, an index, a path of these (a tuple,
            or a text with dots), or a function of what the module returns.
        name: of the model, for errors.

    Attributes:
        detects: whether the last call found a list of detections, which come as (N, `DETECTIONS`, 6 or more); see `detections`.

    Raises:
        TypeError: given is nothing of the kind.
    """

    def __init__(self, given: Any = None, name: str = "the module") -> None:
        if not (given is None or callable(given) or isinstance(given, str | int) or _is_path(given)):
            raise TypeError(
                f"output is {type(given).__name__}; give the name or index of one output, a path of these such as "
                "('decoder', 0), or a function of what the module returns"
            )
        if isinstance(given, bool):
            raise TypeError(f"output={given} is a bool; give the name or index of one output, or a function")
        self.given, self.name, self.detects = given, name, False

    def __str__(self) -> str:
        if callable(self.given):
            return str(getattr(self.given, "__name__", type(self.given).__name__))
        return "default" if self.given is None else repr(self.given)

    def __call__(self, returned: Any) -> Tensor:
        """The tensor (N, …); one number an image, (N,), is one column, (N, 1).

        Raises:
            OutputError: there is none, several, or none of that name; a given function raises.
        """
        if callable(self.given):
            found = self._asked(self.given, returned)
        elif self.given is None:
            found = self._default(returned)
        else:
            found = self._at(returned)
        if _are_detections(found):
            self.detects = True
            return detections(found)
        if not isinstance(found, Tensor):
            raise OutputError(
                f"output={self} of {self.name} gives {described(found)}; it must give one tensor (N, …), such as (N, classes)"
            )
        return found[:, None] if found.ndim == 1 else found

    def _asked(self, function: Callable[[Any], Any], returned: Any) -> Any:
        """What a person's function takes of what the module returned."""
        try:
            return function(returned)
        except Exception as error:
            if type(error).__module__.startswith("torch."):  # a trace's own errors, which say more where they are read
                raise
            reason = str(error).replace("FakeTensor", "Tensor")  # what a trace has in place of numbers
            raise OutputError(
                f"output={self} of {self.name} raises {type(error).__name__}: {reason}. It is called with what the module returns, "
                f"{described(returned)}; give a function of that which gives one tensor (N, …)"
            ) from error

    def _default(self, returned: Any) -> Any:
        if isinstance(returned, Tensor) or _are_detections(returned):
            return returned
        entries = entries_of(returned)
        for name in DEFAULTS:
            if isinstance(entries.get(name), Tensor):
                return entries[name]
        tensors = [value for value in entries.values() if isinstance(value, Tensor)]
        if len(tensors) == 1:
            return tensors[0]
        first = next(iter(entries), 0)
        raise OutputError(
            f"{self.name} gives {described(returned)}, not one tensor; say which to explain, such as output={first!r}, "
            "or output=function of what it returns"
        )

    def _at(self, returned: Any) -> Any:
        found, steps = returned, self._steps(returned)
        for step in steps:
            entries = entries_of(found)
            if isinstance(step, int) and step not in entries and -len(entries) <= step < len(entries):
                step = list(entries)[step]  # noqa: PLW2901 - an index of named outputs counts them in their order
            if step not in entries:
                known = ", ".join(repr(name) for name in entries)
                if not known:
                    raise OutputError(
                        f"output={self.given!r}: {step!r} is looked for in {described(found)}, which has no named parts; give a path "
                        "that ends there, a function such as lambda returned: returned[:, :2], or None where the module returns "
                        "one tensor"
                    )
                raise OutputError(
                    f"output={self.given!r} is not among what {self.name} returns, {described(found)}; choose from {known}"
                )
            found = entries[step]
        return found

    def _steps(self, returned: Any) -> list[Any]:
        if isinstance(self.given, tuple | list):
            return list(self.given)
        if isinstance(self.given, str) and self.given not in entries_of(returned):
            return [int(part) if part.isdecimal() else part for part in self.given.split(".")]
        return [self.given]


def entries_of(returned: Any) -> dict[Any, Any]:
    """What a container holds, by name or index: mappings, transformers' outputs among them, dataclasses, named and plain tuples, lists."""
    if isinstance(returned, Mapping):
        return {name: value for name, value in returned.items() if value is not None}
    if is_dataclass(returned) and not isinstance(returned, type):
        named = {entry.name: getattr(returned, entry.name) for entry in fields(returned)}
        return {name: value for name, value in named.items() if value is not None}
    if isinstance(returned, tuple) and hasattr(returned, "_fields"):
        return dict(zip(returned._fields, returned, strict=True))
    if isinstance(returned, Sequence) and not isinstance(returned, str | bytes):
        return dict(enumerate(returned))
    return {}


def some_numbers(output: Tensor, name: str, first: int = 0) -> Tensor:
    """An output (N, …) as it is, of images from number ``first`` on. Infinite scores may be meant, as of classes that are masked.

    Raises:
        OutputError: NaN among its numbers.
    """
    wrong = output.isnan()
    if wrong.any():
        image = int(wrong.reshape(len(wrong), -1).any(1).nonzero()[0]) if output.ndim else 0
        raise OutputError(
            f"{name} answers NaN for image {first + image}: nothing can be explained of that; look for NaN or infinite values among its "
            "weights and buffers, and whether the image is normalised as it was trained"
        )
    return output


def described(returned: Any) -> str:
    """What came, in words: "a dict of 'a' (2, 5), 'b' (2, 8, 4, 4)"."""
    if isinstance(returned, Tensor):
        return f"a tensor {_shape(returned)}"
    entries = entries_of(returned)
    if not entries:
        return f"{type(returned).__name__}"
    parts = [
        f"{name!r} {_shape(value) if isinstance(value, Tensor) else type(value).__name__}"
        for name, value in list(entries.items())[:8]
    ]
    return f"{type(returned).__name__} of {', '.join(parts)}{', …' if len(entries) > 8 else ''}"


def detections(found: Sequence[Mapping[str, Tensor]], most: int = DETECTIONS) -> Tensor:
    """Detections of N images as one tensor (N, most, 6): left, top, right, bottom in pixels, score, label; the highest scores first.

    Where each image has "probabilities" (K, classes) as well, these stand after the label: (N, most, 6 + classes). Rows beyond an
    image's own are zero, with the label −1.
    """
    rows = []
    for image in found:
        boxes, scores, labels = image["boxes"], image["scores"], image["labels"]
        best = scores.argsort(descending=True, stable=True)[:most]
        more = [image["probabilities"].to(boxes.dtype)] if "probabilities" in image else []
        table = torch.cat([boxes, scores[:, None], labels[:, None].to(boxes.dtype), *more], 1)[best]
        empty = table.new_zeros(most - len(table), table.shape[1])
        empty[:, 5] = -1
        rows.append(torch.cat([table, empty]))
    return torch.stack(rows)


def boxes_of(returned: Any, given: Any, size: tuple[int, int], name: str) -> Tensor | None:
    """The boxes beside scores (N, queries, classes), (N, queries, 4) as left, top, right, bottom in pixels; None where there are none.

    Args:
        given: as `Selection` takes it, or None: "pred_boxes", where the module returns these. "pred_boxes" holds centre and size as
            shares of the image, as DETR and its kin give; anything else must be corners in pixels.
        size: (H, W) of the images.

    Raises:
        OutputError: another shape than (N, queries, 4).
    """
    if given is None:
        if not isinstance(entries_of(returned).get("pred_boxes"), Tensor):
            return None
        given = "pred_boxes"
    found = Selection(given, name)(returned)
    if found.ndim != 3 or found.shape[2] != 4:
        raise OutputError(
            f"boxes={given!r} of {name} gives a tensor {_shape(found)}; give (N, queries, 4): left, top, right, bottom in pixels"
        )
    if given != "pred_boxes":
        return found
    height, width = size
    return corners(found) * found.new_tensor([width, height, width, height])


def corners(boxes: Tensor) -> Tensor:
    """Boxes (…, 4) of centre x, centre y, width, height as left, top, right, bottom."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([centre - half, centre + half], -1)


def _are_detections(found: Any) -> bool:
    parts = {"boxes", "labels", "scores"}
    return (
        isinstance(found, list | tuple)
        and len(found) > 0
        and all(isinstance(image, Mapping) and parts <= set(image) for image in found)
    )


def _is_path(given: Any) -> bool:
    return isinstance(given, tuple | list) and bool(given) and all(isinstance(step, str | int) for step in given)


def _shape(value: Tensor) -> tuple[int, ...]:
    return tuple(int(size) for size in value.shape)


Select = Callable[[Any], Tensor]
