"""The images a widget was given, as a person meets them: what the model says of each, its label where known, small pictures of all."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from xaiwidgets.model import ImageModel
from xaiwidgets.plots.pixels import drawable
from xaiwidgets.widgets.choices import Classes, is_representation
from xaiwidgets.widgets.wire import Packet

__all__ = ["Album", "labels_of"]

PAGE = 64
"""Images a message holds."""
PAGE_BYTES = 30_000
"""Most bytes of the small pictures of a page, where a low quality can keep to it."""
_SIDE = 48
"""Pixels of the longer side of a small picture."""
_COLUMNS = 8
_MOST_CLASSES = 1000
"""Classes told of an image: of more, the most probable."""
_BRIEF = 20
_QUALITIES = (82, 70, 55, 40, 28, 18)


class Album:
    """Of images x (N, C, H, W): every message about them is made once, when first asked for, and kept.

    Args:
        model: whose predictions are told; None where there is no model, or where its output is no scores of classes.
        x, pixels: the images as the model takes them, and as people see them.
        labels: the true class of each image, or None.
        number: of several models which; small pictures come with the first one's messages.
        among: the widget's index of each class of the model, where it is another one.
    """

    def __init__(
        self,
        model: ImageModel | None,
        x: Tensor,
        pixels: Tensor,
        labels: Sequence[int | None],
        *,
        number: int = 0,
        among: Sequence[int] | None = None,
    ) -> None:
        self._model, self._x, self._pixels, self._labels = model, x, pixels, list(labels)
        self._which = {"model": number} if number else {}
        self._among = among
        self._lock = threading.Lock()
        self._predictions: dict[int, Packet | None] = {}
        self._said: dict[int, tuple[str, list[int], list[float]]] = {}
        self._pages: dict[int, Packet] = {}

    def __len__(self) -> int:
        return len(self._x)

    def prediction(self, image: int) -> Packet | None:
        """What the model says of an image: its classes, the most probable first, with their probabilities, and the label.

        None where there is nothing to say. The buffers: classes (int32), then probabilities, or scores that are none (float32).
        """
        if image not in self._predictions:
            said = _said(self._model, self._x[image, None])
            packet = None
            if said is not None:
                kind, shares = said
                # Values are no rivals: they stay in their order.
                order = (
                    torch.arange(shares.shape[1])
                    if kind == "value"
                    else shares[0].argsort(descending=True, stable=True).cpu()
                )
                order = order[:_MOST_CLASSES]
                best = shares[0].cpu()[order]
                content = {"type": "prediction", "image": image, "kind": kind, "label": self._labels[image]}
                classes = self._numbered(order.tolist())
                sent = np.array(classes, "<i4").tobytes(), best.numpy().astype("<f4").tobytes()
                packet = Packet({**content, **self._which}, sent)
                self._said[image] = (kind, classes, best.tolist())
            with self._lock:
                self._predictions[image] = packet
        return self._predictions[image]

    def label(self, image: int) -> int | None:
        """The true class of an image, where it is known."""
        return self._labels[image]

    def said(self, image: int) -> tuple[str, list[int], list[float]] | None:
        """("probability" or "value", classes, their numbers), the highest first; None where there is nothing to say."""
        self.prediction(image)
        return self._said.get(image)

    def brief(self, image: int) -> dict[str, Any] | None:
        """The most probable classes alone, as plain data: what a saved notebook keeps."""
        found = self.said(image)
        if found is None:
            return None
        kind, classes, shares = found
        best = {"classes": classes[:_BRIEF], "shares": [round(share, 5) for share in shares[:_BRIEF]]}
        return {"image": image, "kind": kind, "label": self._labels[image], **best}

    def pages(self) -> Iterator[Packet]:
        """Small pictures with the predicted class of each, `PAGE` images a message; of one image alone, none."""
        if len(self) > 1:
            for start in range(0, len(self), PAGE):
                if start not in self._pages:
                    page = self._page(start)
                    with self._lock:
                        self._pages[start] = page
                yield self._pages[start]

    def known(self, images: Sequence[int] | None = None) -> list[Packet]:
        """The messages made so far; ``images`` picks those whose predictions are wanted."""
        with self._lock:
            said = [packet for image, packet in self._predictions.items() if images is None or image in images]
            return [packet for packet in said if packet is not None] + list(self._pages.values())

    def complete(self, images: Sequence[int]) -> list[Packet]:
        """The messages that a page of some images begins with, made where they are missing; of one image no small pictures."""
        for image in images:
            self.prediction(image)
        pages = list(self.pages()) if len(images) > 1 else []
        return [packet for image in images if (packet := self._predictions[image]) is not None] + pages

    def _page(self, start: int) -> Packet:
        rows = slice(start, min(start + PAGE, len(self)))
        said = _said(self._model, self._x[rows])
        kind, classes, shares = None, None, None
        if said is not None:
            kind = said[0]
            best = said[1].argmax(1) if kind == "probability" else said[1].new_zeros(len(said[1]), dtype=torch.long)
            classes, shares = (
                self._numbered(best.tolist()),
                [round(float(share), 4) for share in said[1].gather(1, best[:, None])[:, 0]],
            )
        picture, (width, height) = (b"", (1, 1)) if self._which else _atlas(self._pixels[rows])
        content: dict[str, Any] = {"type": "album", "start": start, "tile": [width, height], "columns": _COLUMNS}
        alone = kind == "probability" and said is not None and said[1].shape[1] == 1
        content |= {"kind": kind, "classes": classes, "shares": shares, "alone": alone, "labels": self._labels[rows]}
        return Packet({**content, **self._which}, (picture,))

    def _numbered(self, classes: list[int]) -> list[int]:
        """Classes of the model as the widget numbers them."""
        return classes if self._among is None else [self._among[index] for index in classes]


def labels_of(labels: Any, classes: Classes, count: int) -> list[int | None]:
    """True classes as a person gives them, indices or names, one an image; none where they are not given.

    Raises:
        ValueError: another number of them than images, or one that is no class of the model.
    """
    if labels is None:
        return [None] * count
    given = labels.tolist() if hasattr(labels, "tolist") else labels
    given = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if len(given) != count:
        raise ValueError(f"labels has {len(given)} entries for {count} images; give the true class of each, or None")
    found = [classes.index("labels", label) for label in given]
    for label, index in zip(given, found, strict=True):
        if classes.is_named(index):
            raise ValueError(f"labels has {label!r}, which is a target, no class; give the true class of each, or None")
    return found


def _said(model: ImageModel | None, x: Tensor) -> tuple[str, Tensor] | None:
    """(what the numbers are, one an image and class) for images (n, C, H, W); None where a model gives no scores of classes."""
    if model is None:
        return None
    try:
        with model.lock:
            prediction = model.predict(x, top=1)
    except ValueError:
        return None
    if prediction.meaning == "values" and is_representation(model, prediction.scores.shape[1]):
        return None
    return ("value" if prediction.meaning == "values" else "probability"), prediction.probabilities


def _atlas(pixels: Tensor) -> tuple[bytes, tuple[int, int]]:
    """Pictures (n, C, H, W) of values in [0, 1] side by side as one JPEG, and (width, height) of each."""
    height, width = pixels.shape[2:]
    scale = _SIDE / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    shown = F.interpolate(pixels.float(), size=size, mode="area") if max(height, width) > _SIDE else pixels.float()
    size = tuple(shown.shape[2:])  # type: ignore[assignment]
    tiles = [(drawable(tile).permute(1, 2, 0).cpu().numpy() * 255).round().astype(np.uint8) for tile in shown]
    rows = -(-len(tiles) // _COLUMNS)
    sheet = np.full((rows * size[0], min(len(tiles), _COLUMNS) * size[1], 3), 128, np.uint8)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, _COLUMNS)
        sheet[row * size[0] : (row + 1) * size[0], column * size[1] : (column + 1) * size[1]] = tile
    picture = Image.fromarray(sheet)
    for quality in _QUALITIES:
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality)
        if out.tell() <= PAGE_BYTES * max(len(tiles), PAGE // 8) / PAGE:
            break
    return out.getvalue(), (size[1], size[0])
