"""The wire: what is sent can be read back by a reader written from the format's description alone."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from xaiwidgets.widgets.wire import SNAPSHOT_LIMIT, map_range, maps_packet, picture_packet, snapshot

QUESTION = {"image": 2, "method": "RELAX", "target": None, "against": None, "parameters": {}}


def read_snapshot(blob: bytes) -> tuple[dict[str, Any], np.ndarray, dict[str, np.ndarray]]:
    """uint32 LE header length, JSON, then each buffer on a multiple of 8 bytes: the picture, the maps in order."""
    (length,) = struct.unpack_from("<I", blob, 0)
    header = json.loads(blob[4 : 4 + length])
    position = 4 + length

    def take(dtype: str, shape: list[int]) -> np.ndarray:
        nonlocal position
        position = (position + 7) // 8 * 8
        array = np.frombuffer(blob, np.dtype(dtype), int(np.prod(shape)), position).reshape(shape)
        position += array.nbytes
        return array

    picture = take("<u1", header["picture"]["shape"])
    types = {"float16": "<f2", "float32": "<f4"}
    maps = {entry["name"]: take(types[entry["dtype"]], entry["shape"]) for entry in header["maps"]}
    assert position == len(blob)
    return header, picture, maps


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_channels_without_colours_become_grey(channels: int) -> None:
    pixels = torch.rand(channels, 4, 6)
    packet = picture_packet(3, pixels)
    assert packet.content["shape"] == [4, 6, 1]
    grey = np.frombuffer(packet.buffers[0], np.uint8).reshape(4, 6)
    np.testing.assert_allclose(grey, pixels.mean(0) * 255, atol=0.51)


def test_picture_is_bytes_row_by_row() -> None:
    pixels = torch.rand(3, 5, 7)
    packet = picture_packet(4, pixels)
    assert packet.content == {"type": "picture", "image": 4, "shape": [5, 7, 3]}
    array = np.frombuffer(packet.buffers[0], np.uint8).reshape(5, 7, 3)
    for y, x, c in ((0, 0, 0), (4, 6, 2), (2, 3, 1)):
        assert array[y, x, c] == round(float(pixels[c, y, x]) * 255)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (torch.rand(9, 9), "float16"),
        (torch.linspace(-1, 1, 81).view(9, 9), "float16"),
        (0.9 + 0.001 * torch.rand(9, 9), "float32"),  # a narrow range far from zero
        (torch.rand(9, 9) * 1e-9, "float32"),  # below what half precision holds
        (torch.rand(9, 9) * 1e6, "float32"),  # and above
        (torch.full((9, 9), 0.3), "float32"),  # constant: only exactly
        (torch.zeros(9, 9), "float16"),
    ],
)
def test_half_precision_only_where_nobody_sees_it(values: Tensor, dtype: str) -> None:
    packet = maps_packet(QUESTION, {"importance": values}, final=True, shared={})
    header = packet.content["maps"][0]
    assert header["dtype"] == dtype
    array = np.frombuffer(packet.buffers[0], {"float16": "<f2", "float32": "<f4"}[dtype]).reshape(9, 9)
    spread = float(values.max() - values.min())
    assert np.abs(array.astype(np.float64) - values.numpy()).max() <= spread / 2000
    assert header["range"] == map_range(values) == [float(values.min()), float(values.max())]
    assert header["shape"] == [9, 9]


def test_message_repeats_the_question_and_is_plain_json() -> None:
    packet = maps_packet(QUESTION, {"a": torch.rand(2, 3), "b": torch.rand(2, 3)}, final=False, shared={"a": [0, 1]})
    content = json.loads(json.dumps(packet.content))
    assert {**content, "maps": None} == {
        "type": "maps", **QUESTION, "maps": None, "final": False, "shared_range": {"a": [0, 1]}
    }  # fmt: skip
    assert [entry["name"] for entry in content["maps"]] == ["a", "b"]
    recorded = json.loads(json.dumps(packet.recorded()))
    assert [base64.b64decode(text) for text in recorded["buffers"]] == list(packet.buffers)


@pytest.mark.parametrize("shape", [(5, 7), (64, 64), (33, 21)])
@pytest.mark.parametrize("channels", [1, 3])
def test_snapshot_is_read_back(shape: tuple[int, int], channels: int) -> None:
    picture = torch.rand(channels, *shape)
    maps = {"importance": torch.rand(shape), "uncertainty": 0.9 + 1e-4 * torch.rand(shape)}
    header, pixels, found = read_snapshot(snapshot(picture, QUESTION, maps))
    assert header["type"] == "maps"
    assert {name: header[name] for name in QUESTION} == QUESTION
    assert header["picture"]["image"] == 2
    np.testing.assert_allclose(pixels / 255, picture.permute(1, 2, 0), atol=0.5 / 255 + 1e-6)
    for name, values in maps.items():
        np.testing.assert_allclose(found[name].astype(np.float32), values, atol=float(values.max()) / 1000)


def test_large_snapshot_is_halved_until_it_is_small() -> None:
    picture = torch.rand(3, 1024, 1024)
    maps = {name: torch.rand(1024, 1024) for name in ("importance", "uncertainty", "standard_error")}
    blob = snapshot(picture, QUESTION, maps)
    assert len(blob) <= SNAPSHOT_LIMIT
    _, pixels, found = read_snapshot(blob)
    assert pixels.shape == (256, 256, 3)
    mean = maps["importance"].view(256, 4, 256, 4).mean((1, 3))
    np.testing.assert_allclose(found["importance"].astype(np.float32), mean, atol=1e-3)
    # base64 in a notebook is a third longer.
    assert len(base64.b64encode(blob)) < 1_000_000


def test_odd_sizes_are_halved_too() -> None:
    blob = snapshot(torch.rand(3, 701, 999), QUESTION, {"importance": 0.9 + 1e-4 * torch.rand(701, 999)})
    assert len(blob) <= SNAPSHOT_LIMIT
    _, pixels, found = read_snapshot(blob)
    assert pixels.shape[:2] == found["importance"].shape == (176, 250)
