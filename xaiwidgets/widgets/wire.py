"""Arrays on their way to the browser: little-endian buffers with a small header each. Nothing else knows the format."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from xaiwidgets.plots.pixels import drawable

_ALIGN = 8
SNAPSHOT_LIMIT = 600_000
"""Most bytes of a snapshot: a notebook with saved state stays under 1 MB a widget, base64 included."""


@dataclass(frozen=True)
class Packet:
    """A message for the browser: plain data, and buffers beside it."""

    content: dict[str, Any]
    buffers: tuple[bytes, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of the buffers."""
        return sum(len(part) for part in self.buffers)

    def recorded(self) -> dict[str, Any]:
        """The packet as plain JSON, its buffers as base64 text: for pages without a kernel."""
        return {"content": self.content, "buffers": [base64.b64encode(part).decode() for part in self.buffers]}


def picture_packet(image: int, pixels: Tensor) -> Packet:
    """The picture (C, H, W) of values in [0, 1], as bytes (H, W, 1) or (H, W, 3)."""
    array = (drawable(pixels.detach().cpu()).permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    return Packet({"type": "picture", "image": image, "shape": list(array.shape)}, (array.tobytes(),))


def maps_packet(
    question: Mapping[str, Any], maps: Mapping[str, Tensor], *, final: bool, shared: Mapping[str, Any]
) -> Packet:
    """Maps (H, W) by name, as the answer to ``question``."""
    headers, buffers = encoded(maps)
    content = {"type": "maps", **question, "maps": headers, "final": final, "shared_range": dict(shared)}
    return Packet(content, buffers)


def snapshot(picture: Tensor, question: Mapping[str, Any], maps: Mapping[str, Tensor]) -> bytes:
    """Picture (C, H, W) and maps (H, W) as one blob that is small enough to be saved in a notebook.

    A large picture is halved, as often as it takes. The layout: the header's length (uint32, little endian), the header
    (JSON), then each buffer on a multiple of eight bytes.
    """
    while True:
        first = picture_packet(int(question["image"]), picture)
        second = maps_packet(question, maps, final=True, shared={})
        header = json.dumps({**second.content, "picture": first.content}).encode()
        buffers = (*first.buffers, *second.buffers)
        blob = _concatenated(header, buffers)
        if len(blob) <= SNAPSHOT_LIMIT or min(picture.shape[1:]) < 2:
            return blob
        picture = F.avg_pool2d(picture[None], 2, ceil_mode=True)[0]
        maps = {name: F.avg_pool2d(values[None, None], 2, ceil_mode=True)[0, 0] for name, values in maps.items()}


def packed(packets: Sequence[Packet]) -> bytes:
    """Packets as one blob, for a notebook to keep. The layout: the header's length (uint32, little endian), the header (JSON: each
    packet's content and the sizes of its buffers), then each buffer on a multiple of eight bytes."""
    header = [{"content": packet.content, "sizes": [len(part) for part in packet.buffers]} for packet in packets]
    return _concatenated(json.dumps(header).encode(), [part for packet in packets for part in packet.buffers])


def map_range(values: Tensor) -> list[float]:
    """[lowest, highest] as plain numbers."""
    values = values.cpu()  # once: each of two numbers would wait for another device
    return [float(values.min()), float(values.max())]


def encoded(maps: Mapping[str, Tensor]) -> tuple[list[dict[str, Any]], tuple[bytes, ...]]:
    """Maps (H, W) by name as headers and buffers, in half precision where nobody sees a difference."""
    headers, buffers = [], []
    for name, values in maps.items():
        values = values.detach().cpu()  # noqa: PLW2901 - the same map, here
        array = values.numpy().astype("<f4")
        half = _as_half(array)
        dtype, data = ("float32", array) if half is None else ("float16", half)
        headers.append({"name": name, "dtype": dtype, "shape": list(array.shape), "range": map_range(values)})
        buffers.append(data.tobytes())
    return headers, tuple(buffers)


def _as_half(array: np.ndarray) -> np.ndarray | None:
    """The array in half precision where nobody sees a difference, or None: a narrow range far from zero needs more."""
    with np.errstate(over="ignore"):
        half = array.astype("<f2")
    spread = float(array.max() - array.min())
    error = float(np.abs(half.astype(np.float32) - array).max())
    return half if error <= spread / 2000 else None


def _concatenated(header: bytes, buffers: Sequence[bytes]) -> bytes:
    out = bytearray(struct.pack("<I", len(header)) + header)
    for part in buffers:
        out += b"\0" * (-len(out) % _ALIGN)
        out += part
    return bytes(out)
