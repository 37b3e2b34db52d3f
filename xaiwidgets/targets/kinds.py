"""The kinds of targets: class, region, value, similarity, box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.targets.queries import columns_of, detection_of, one_of, query_of
from xaiwidgets.targets.regions import region_weights
from xaiwidgets.targets.score import Score, TargetError
from xaiwidgets.targets.scores import (
    ClassScore,
    DetectionScore,
    QueryScore,
    RegionScore,
    SimilarityScore,
    ValueScore,
)
from xaiwidgets.targets.segments import around, main_class, on_map, positive
from xaiwidgets.targets.target import Asked, Target

__all__ = ["Box", "Class", "Region", "Similarity", "Value"]


@dataclass(frozen=True, repr=False)
class Class(Target):
    """A class's logit, of outputs (N, classes); see `class_`."""

    target: Any

    def score(self, asked: Asked) -> Score:
        if asked.output.ndim != 2:
            raise asked.wrong(self, "scores (N, classes)")
        return ClassScore(asked.model, asked.model.targets(asked.output, self.target, asked.argument))

    def __str__(self) -> str:
        return f"class {self.target!r}"


@dataclass(frozen=True, repr=False, eq=False)
class Region(Target):
    """A class's logits in a part of the image; see `region`."""

    target: Any
    mask: Any

    def score(self, asked: Asked) -> Score:
        maps = asked.output
        if maps.ndim not in (3, 4) or asked.model.detects:
            raise asked.wrong(self, "maps (N, classes, H, W)")
        maps = maps[:, None] if maps.ndim == 3 else maps
        rows = [self._row(asked, maps[row], row) for row in range(len(maps))]
        index = torch.tensor([index for index, _ in rows], device=maps.device)
        alone = maps.shape[1] == 1
        names = [f"{_class(asked, index, alone)} {self._place()}" for index, _ in rows]
        return RegionScore(names, {"index": index, "weights": torch.stack([weights for _, weights in rows])})

    def each(self, count: int, argument: str) -> list[Target]:
        mask = self.mask
        if hasattr(mask, "shape") and len(mask.shape) == 3:
            if len(mask) != count:
                raise TargetError(
                    f"{argument} has {len(mask)} masks for {count} images; give one mask, or one an image"
                )
            return [Region(self.target, row) for row in mask]
        return [self] * count

    def _row(self, asked: Asked, maps: Tensor, row: int) -> tuple[int, Tensor]:
        """The class, and the weights (h, w), of one image's maps (classes, h, w)."""
        (height, width), model = maps.shape[1:], asked.model
        size = (height, width) if asked.x is None else (asked.x.shape[2], asked.x.shape[3])
        index = None if self.target is None else self._index(asked, len(maps))
        # One map tells its class from the rest: where it does not predict it, −1.
        best = maps.argmax(0) if len(maps) > 1 else positive(maps[0], model.meaning).long() - 1
        point = self._point(size, asked.argument)
        if point is not None:
            y, x = point[1] * height // size[0], point[0] * width // size[1]
            there = int(best[y, x])
            if there < 0 or (index is not None and there != index):
                raise TargetError(
                    f"{asked.argument}={self}: {model.name} predicts {_class(asked, there)} there in image {row}; give a box or a mask "
                    "to ask about another class"
                )
            return there, around(best == there, y, x).to(maps)
        if self.mask is not None:
            try:
                region = region_weights(self.mask, 1, *size, maps.device)[0]
            except ValueError as error:
                raise TargetError(f"{asked.argument}={self}: {error}") from None
            weights = on_map(region, (height, width)).to(maps)
            return (main_class(model, best, weights) if index is None else index), weights
        index = main_class(model, best) if index is None else index
        weights = (best == index).to(maps)
        if not weights.any():
            raise TargetError(
                f"{asked.argument}={self}: {model.name} predicts {_class(asked, index)} nowhere in image {row}; give mask=, a box or a "
                "mask to ask about"
            )
        return index, weights

    def _index(self, asked: Asked, classes: int) -> int:
        """The map of the class."""
        names = asked.model.class_names
        if classes > 1 or names is None or len(names) != 2:
            return asked.model.class_index(self.target, classes, asked.argument)
        if asked.model.class_index(self.target, 2, asked.argument) == 1:
            return 0
        raise TargetError(
            f"{asked.argument}={self}: the one map of {asked.model.name} tells {names[1]!r} from the rest; ask about that"
        )

    def _point(self, size: tuple[int, int], argument: str) -> tuple[int, int] | None:
        """(x, y) in pixels, where the mask is a point."""
        mask = self.mask
        entries = mask.tolist() if hasattr(mask, "tolist") else mask
        if (
            not isinstance(entries, Sequence)
            or isinstance(entries, str)
            or len(entries) != 2
            or isinstance(entries[0], list)
        ):
            return None
        x, y = (int(side) for side in entries)
        if not (0 <= x < size[1] and 0 <= y < size[0]):
            raise TargetError(f"{argument}={self} lies outside the image, which is {size[1]} wide and {size[0]} high")
        return x, y

    def _place(self) -> str:
        mask = self.mask
        if mask is None:
            return "where it is predicted"
        entries = mask.tolist() if hasattr(mask, "tolist") and getattr(mask, "ndim", 0) == 1 else mask
        if hasattr(entries, "shape") or (isinstance(entries, Sequence) and entries and isinstance(entries[0], list)):
            return f"in a mask of {int((torch.as_tensor(entries) != 0).sum())} pixels"
        if not isinstance(entries, Sequence) or isinstance(entries, str) or len(entries) not in (2, 4):
            return f"in {mask!r}"
        return f"in the box {tuple(entries)}" if len(entries) == 4 else f"around the point {tuple(entries)}"

    def __str__(self) -> str:
        return f"region({'predicted class' if self.target is None else repr(self.target)}, {self._place()})"


@dataclass(frozen=True, repr=False, eq=False)
class Value(Target):
    """One output of a regression relative to a reference; see `value`."""

    index: Any
    against: Any

    def score(self, asked: Asked) -> Score:
        output = asked.output
        if output.ndim > 2:
            raise asked.wrong(self, "values (N, outputs)")
        count = 1 if output.ndim == 1 else output.shape[1]
        index = asked.model.class_index(self.index, count, asked.argument)
        against = float(self.against)
        relative = "" if against == 0 else f" against {against:g}"
        names = [f"{_output_name(asked, index)}{relative}"] * len(output)
        numbers = {
            "index": torch.full((len(output),), index, device=output.device),
            "against": torch.full((len(output),), against, device=output.device),
        }
        return ValueScore(names, numbers)

    def each(self, count: int, argument: str) -> list[Target]:
        given = self.against.tolist() if hasattr(self.against, "tolist") else self.against
        if not isinstance(given, list | tuple):
            return [self] * count
        if len(given) != count:
            raise TargetError(
                f"{argument} has {len(given)} reference values for {count} images; give one, or one an image"
            )
        return [Value(self.index, entry) for entry in given]

    def __str__(self) -> str:
        return f"value({self.index!r}, against={_plain(self.against)})"


@dataclass(frozen=True, repr=False, eq=False)
class Similarity(Target):
    """Likeness to a vector or an image; see `similarity`."""

    vector: Any
    kind: str
    name: str | None

    def score(self, asked: Asked) -> Score:
        output = asked.output
        if output.ndim != 2:
            raise asked.wrong(self, "representations (N, D)")
        vector = self._vector(asked).to(output)
        if vector.ndim == 1:
            vector = vector[None]
        if vector.ndim != 2 or len(vector) != 1 or vector.shape[1] != output.shape[1]:
            raise TargetError(
                f"{asked.argument}={self} has shape {tuple(vector.shape)}; give a vector ({output.shape[1]},), as "
                f"{asked.model.name} gives, or one an image"
            )
        if not torch.isfinite(vector).all() or not vector.any():
            raise TargetError(f"{asked.argument}={self} is zero, or has NaN or infinite values; give a direction")
        vectors = vector.expand(len(output), -1)
        return SimilarityScore([f"likeness to {self._what()}"] * len(output), {"vectors": vectors}, (self.kind,))

    def _vector(self, asked: Asked) -> Tensor:
        try:
            given = torch.as_tensor(self.vector)
        except (TypeError, ValueError, RuntimeError):
            if isinstance(self.vector, str):
                raise TargetError(
                    f"{asked.argument}={self}: {self.vector!r} is a phrase; give a vector ({asked.output.shape[1]},), such as "
                    f"model.text({self.vector!r}) of a model that knows text"
                ) from None
            raise TargetError(
                f"{asked.argument}={self} is {type(self.vector).__name__}; give a vector ({asked.output.shape[1]},), or an "
                "image as model.prepare(image) makes"
            ) from None
        return asked.model.output(given).detach() if given.ndim >= 3 else given.detach()

    def each(self, count: int, argument: str) -> list[Target]:
        shape: tuple[int, ...] = tuple(getattr(self.vector, "shape", ()))
        if len(shape) not in (2, 4) or shape[0] == 1:
            return [self] * count
        if shape[0] != count:
            raise TargetError(f"{argument} has {shape[0]} vectors for {count} images; give one, or one an image")
        return [Similarity(row, self.kind, self.name) for row in self.vector]

    def _what(self) -> str:
        if self.name is not None:
            return self.name
        shape: tuple[int, ...] = tuple(getattr(self.vector, "shape", ()))
        return (
            "an image"
            if len(shape) > 2
            else f"a vector of {shape[-1]} numbers"
            if shape
            else type(self.vector).__name__
        )

    def __str__(self) -> str:
        return f"similarity({self._what()}, {self.kind})"


@dataclass(frozen=True, repr=False, eq=False)
class Box(Target):
    """The score of one box of a detector; see `box`."""

    which: Any
    target: Any

    def score(self, asked: Asked) -> Score:
        if asked.output.ndim != 3:
            raise asked.wrong(self, "queries or anchors (N, queries, classes), or detections")
        parts = [self._row(asked.image(row), row) for row in range(len(asked))]
        names = [name for name, _ in parts]
        first = parts[0][1]
        numbers = {key: torch.cat([part[key] for _, part in parts]) for key in first}
        if asked.model.detects:
            return DetectionScore(names, numbers)
        return QueryScore(names, numbers, (columns_of(asked), asked.model.probabilities))

    def _row(self, asked: Asked, row: int) -> tuple[str, dict[str, Tensor]]:
        device = asked.output.device
        if asked.model.detects:
            box, label, classes = detection_of(asked, self, row)
            sides = tuple(round(side) for side in box.tolist())
            numbers = {"boxes": box[None], "labels": torch.tensor([label], device=device)}
            numbers |= {} if classes is None else {"classes": classes[None]}
            return f"{asked.model.class_name(label)} in the box {sides}", numbers
        query, column = query_of(asked, self, row)
        columns = columns_of(asked)
        name = asked.model.class_name(column - columns.first)
        numbers = {"query": torch.tensor([query], device=device), "column": torch.tensor([column], device=device)}
        if columns.first:
            table = columns.table(asked.output)
            shares = columns.classes_of(table, asked.model.probabilities)[0, query]
            if self.target is not None:  # of a class that somebody named: that class, and no other
                shares = one_of(column - columns.first, shares)
            numbers |= {"boxes": columns.corners(table)[0, query, None], "classes": shares[None]}
        return f"{name} of box {query}", numbers

    def __str__(self) -> str:
        which = "the surest" if self.which is None else _plain(self.which)
        return f"box({which}, {'its class' if self.target is None else repr(self.target)})"


def _class(asked: Asked, index: int, alone: bool = False) -> str:
    """A class in words; ``alone``: of one map, which is the second of two classes, or a plain value."""
    if asked.model.meaning == "values":
        return _output_name(asked, index)
    names = asked.model.class_names
    if index < 0:
        return repr(names[0]) if names is not None and len(names) == 2 else "nothing"
    return names[1] if alone and names is not None and len(names) == 2 else asked.model.class_name(index)


def _output_name(asked: Asked, index: int) -> str:
    names = asked.model.class_names
    return names[index] if names is not None and index < len(names) else f"output {index}"


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def number(argument: str, given: Any) -> Any:
    """A finite number, or several, as they came.

    Raises:
        TypeError, ValueError: none of these.
    """
    try:
        values = torch.as_tensor(given, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{argument} is {type(given).__name__}; give a number, or one an image") from None
    if values.ndim > 1 or not torch.isfinite(values).all():
        raise ValueError(f"{argument}={_plain(given)} must be a finite number, or one an image")
    return given
