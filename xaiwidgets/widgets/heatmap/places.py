"""What a person can point at in an image: regions that a model predicts, boxes that a detector finds, a box drawn by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from xaiwidgets import targets as T
from xaiwidgets.model import ImageModel
from xaiwidgets.targets import Found, Target, TargetError, score_of
from xaiwidgets.widgets.wire import Packet

if TYPE_CHECKING:
    from xaiwidgets.plots import Mark

__all__ = ["Place", "Places", "place_of"]

Place = dict[str, Any]
"""Where a target is: {"box": [left, top, right, bottom]} or {"point": [x, y]}, in pixels; {} for nowhere in particular."""
_NOTHING = 255


class Places:
    """Of images x (N, C, H, W): what the model finds in each is worked out once, when first asked for, and kept.

    Args:
        model: None where there is none, and nothing can be pointed at.
    """

    def __init__(self, model: ImageModel | None, x: Tensor) -> None:
        self._model, self._x = model, x
        self._packets: dict[int, Packet | None] = {}
        self._boxes: dict[int, list[Found]] = {}
        self._tables: dict[int, Tensor] = {}

    def packet(self, image: int) -> Packet | None:
        """What can be pointed at in an image, for the browser; None where nothing can.

        ``regions``: {"shape": [h, w], "shares": {class: share of the map}} with the class predicted at each place in the buffer (uint8,
        255 for none), where maps have classes; ``boxes``: what a detector finds, the surest first; ``drawn``: whether a box can be drawn.
        """
        if image not in self._packets:
            self._packets[image] = None if self._model is None else self._found(self._model, image)
        return self._packets[image]

    def known(self, images: Sequence[int] | None = None) -> list[Packet]:
        """The messages made so far, of some images or of all."""
        made = list(self._packets.items())
        return [packet for image, packet in made if packet is not None and (images is None or image in images)]

    def marks(self, image: int, place: Place, found: bool) -> tuple[Mark, ...]:
        """The lines on a figure of an image. ``place``: what is asked about; ``found``: whether what the model finds is drawn."""
        from xaiwidgets.plots import Mark

        table, marks = self._tables.get(image), []
        if found and table is not None:
            numbers, counts = table.unique(return_counts=True)
            # The largest has its lines from the others, and would have the picture's edge as well.
            order = counts.argsort(descending=True, stable=True)[1:]
            marks += [Mark(inside=table == numbers[at]) for at in order.tolist()]
        if found:
            marks += [
                Mark(box=box.box, label=f"{self._name(box.label)} {box.share:.0%}")
                for box in self._boxes.get(image, ())
            ]
        if "box" in place:
            marks.append(Mark(box=tuple(place["box"]), strong=True))
        elif "point" in place and table is not None:
            height, width = table.shape
            y = int(place["point"][1]) * height // self._x.shape[2]
            x = int(place["point"][0]) * width // self._x.shape[3]
            marks.append(Mark(inside=T.around(table == table[y, x], y, x) > 0, strong=True))
        return tuple(marks)

    def _name(self, label: int) -> str:
        return "" if self._model is None else self._model.class_name(label)

    def asked(self, image: int, content: Mapping[str, Any], chosen: int | None) -> tuple[str, Target, Place]:
        """The target that a person pointed at, its name and its place.

        Args:
            content: {"point": [x, y]} for the region predicted there, {"box": […]} for one drawn, or {"found": number} for a box of the
                detector. chosen: the class that a box drawn is asked about; None for the one predicted in it.

        Raises:
            TargetError, ValueError: nothing of the kind is there.
        """
        model, x = self._model, self._x[image, None]
        if model is None:
            raise TargetError("nothing can be asked about here: the widget has no model; give model=")
        with model.lock:
            output = model.output(x)
            if content.get("found") is not None:
                return self._detected(model, image, int(content["found"]))
            if not T.gives_maps(model, output):
                raise TargetError(
                    f"a region cannot be asked about: {model.name} gives ({', '.join(['N', *map(str, output.shape[1:])])}), no maps"
                )
            where, place = _pointed(content)
            by_point = "point" in place
            target = T.region(None if by_point else chosen, where)
            (name,) = score_of(model, output, target, x).names
            # Names stand above pictures and in lists, where there is little room.
            name = name.replace(" around the point (", " at (").replace(" in the box (", " in (")
            if by_point and output.ndim == 4 and output.shape[1] > 1:
                # The class that was pointed at, also in an image where another one is predicted there.
                y, x_ = (where[1] * output.shape[2] // x.shape[2], where[0] * output.shape[3] // x.shape[3])
                target = T.region(int(output[0, :, y, x_].argmax()), where)
        return name, target, place

    def _detected(self, model: ImageModel, image: int, number: int) -> tuple[str, Target, Place]:
        self.packet(image)
        found = next((box for box in self._boxes.get(image, ()) if box.number == number), None)
        if found is None:
            raise TargetError(
                f"box {number} is none that {model.name} finds in image {image}; pick one of those listed"
            )
        # A query keeps its number; a detection is known by where it is, as numbers change from image to image.
        which = found.box if model.detects else found.number
        name = f"{model.class_name(found.label)}, box {found.number}"
        return name, T.box(which, found.label), {"box": list(found.box)}

    def _found(self, model: ImageModel, image: int) -> Packet | None:
        x = self._x[image, None]
        with model.lock:
            output = model.output(x)
            boxes = T.found_boxes(model, output, x)
            classes = T.predicted_classes(model, output)
        drawn = T.gives_maps(model, output)
        if boxes is None and not drawn:
            return None
        content: dict[str, Any] = {"type": "places", "image": image, "drawn": drawn, "boxes": None, "regions": None}
        if boxes is not None:
            self._boxes[image] = boxes
            content["boxes"] = [{**vars(box), "box": [round(side, 2) for side in box.box]} for box in boxes]
        if classes is None or int(classes.max()) >= _NOTHING:
            return Packet(content)
        table = self._tables[image] = classes[0].cpu()
        numbers, counts = table.unique(return_counts=True)
        shares = {str(int(n)): int(count) / table.numel() for n, count in zip(numbers, counts, strict=True) if n >= 0}
        content["regions"] = {"shape": list(table.shape), "shares": shares}
        return Packet(content, (torch.where(table < 0, _NOTHING, table).numpy().astype(np.uint8).tobytes(),))


def place_of(target: Any) -> Place:
    """Where a target that somebody made is, as far as it says so."""
    where = getattr(target, "mask", getattr(target, "which", None))
    sides = where.tolist() if isinstance(where, Tensor) and where.ndim == 1 else where
    if not isinstance(sides, list | tuple) or not all(isinstance(side, int | float) for side in sides):
        return {}
    return {4: {"box": list(sides)}, 2: {"point": list(sides)}}.get(len(sides), {})


def _pointed(content: Mapping[str, Any]) -> tuple[tuple[int, ...], Place]:
    """Where, as `targets.region` takes it, and as the browser draws it."""
    for kind, count, form in (("point", 2, "(x, y)"), ("box", 4, "(left, top, right, bottom)")):
        given = content.get(kind)
        if given is None:
            continue
        if (
            not isinstance(given, list | tuple)
            or len(given) != count
            or not all(isinstance(n, int | float) for n in given)
        ):
            raise TargetError(f"{kind}={given!r} is none; give {form} in pixels of the image")
        sides = tuple(round(side) for side in given)
        return sides, {kind: list(sides)}
    raise TargetError(
        "nothing was pointed at; give a point (x, y), a box (left, top, right, bottom) or a box that was found"
    )
