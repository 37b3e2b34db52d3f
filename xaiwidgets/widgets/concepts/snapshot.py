"""What a saved notebook keeps of a concept browser: what is on screen, small enough to be saved with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from xaiwidgets.widgets.wire import SNAPSHOT_LIMIT, Packet, packed

_ORDER = ("prediction", "focus", "ranking", "heatmap", "region", "graph", "references", "tiles")
_TILE = 48
_REFERENCE = 80
_PICTURE = 224
"""Pixels a side, at most."""


def snapshot(packets: Sequence[Packet]) -> bytes:
    """Packets as one blob (see `packed`), the most important ones first, as many as fit into ``SNAPSHOT_LIMIT``."""
    chosen: list[Packet] = []
    for packet in sorted(packets, key=lambda packet: _ORDER.index(packet.content["type"])):
        for small in _smaller(packet):
            blob = packed([*chosen, small])
            if len(blob) > SNAPSHOT_LIMIT:
                break
            chosen.append(small)
    return packed(chosen) if chosen else b""


def _smaller(packet: Packet) -> Iterator[Packet]:
    kind = packet.content["type"]
    if kind == "tiles":
        yield from _tiles(packet)
    elif kind == "references":
        items, buffers = [], iter(packet.buffers)
        kept: list[bytes] = []
        for item in packet.content["items"]:
            small, parts = _scaled(item, next(buffers), next(buffers), _REFERENCE) if "shape" in item else (item, ())
            items.append(small)
            kept += parts
        yield Packet({**packet.content, "items": items}, tuple(kept))
    elif kind == "focus":
        pixels, heat = packet.buffers
        content, parts = _scaled(packet.content, pixels, heat, _PICTURE)
        yield Packet(content, parts)
    elif kind == "heatmap":
        header, data = _map(packet.content["map"], packet.buffers[0], _PICTURE)
        yield Packet({**packet.content, "map": header}, (data,))
    else:
        yield packet


def _tiles(packet: Packet) -> Iterator[Packet]:
    """One packet a tile, so that as many as fit are kept."""
    side = packet.content["side"]
    size = side * side * 3
    start = 0
    for place in packet.content["places"]:
        if not place[3]:
            continue
        tile = torch.frombuffer(bytearray(packet.buffers[0][start : start + size]), dtype=torch.uint8)
        start += size
        small = _pooled(tile.view(side, side, 3).permute(2, 0, 1).float(), _TILE)
        content = {**packet.content, "side": small.shape[1], "places": [place]}
        yield replace(packet, content=content, buffers=(_bytes(small),))


def _scaled(content: dict[str, Any], pixels: bytes, heat: bytes, side: int) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    """A picture with its map, and the box on it, at most ``side`` pixels a side."""
    height, width, channels = content["shape"]
    picture = torch.frombuffer(bytearray(pixels), dtype=torch.uint8).view(height, width, channels)
    small = _pooled(picture.permute(2, 0, 1).float(), side)
    header, data = _map(content["map"], heat, side)
    shape = [small.shape[1], small.shape[2], channels]
    made = {**content, "shape": shape, "map": header}
    if "box" in content:
        x, y = shape[1] / width, shape[0] / height
        left, top, right, bottom = content["box"]
        made["box"] = [
            int(left * x),
            int(top * y),
            max(int(left * x) + 1, round(right * x)),
            max(int(top * y) + 1, round(bottom * y)),
        ]
    return made, (_bytes(small), data)


def _map(header: dict[str, Any], data: bytes, side: int) -> tuple[dict[str, Any], bytes]:
    dtype = {"float16": "<f2", "float32": "<f4"}[header["dtype"]]
    values = torch.from_numpy(np.frombuffer(data, dtype).astype(np.float32)).view(1, *header["shape"])
    small = _pooled(values, side)[0]
    return {**header, "shape": list(small.shape)}, small.numpy().astype(dtype).tobytes()


def _pooled(picture: Tensor, side: int) -> Tensor:
    """(C, h, w) halved until neither side is longer."""
    while max(picture.shape[1:]) > side:
        picture = F.avg_pool2d(picture[None], 2, ceil_mode=True)[0]
    return picture


def _bytes(picture: Tensor) -> bytes:
    return picture.round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy().tobytes()
