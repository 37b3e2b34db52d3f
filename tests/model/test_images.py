"""What people call an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from xaiwidgets.model.images import as_list, to_pil


@pytest.fixture
def array() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def read(image: Any, channels: int = 3) -> np.ndarray:
    return np.asarray(to_pil(image, channels))


def test_grey_palette_and_one_bit(array: np.ndarray) -> None:
    grey = Image.fromarray(array).convert("L")
    for image in (grey, np.asarray(grey), np.asarray(grey)[..., None], torch.tensor(np.asarray(grey))[None]):
        assert np.array_equal(read(image), np.repeat(np.asarray(grey)[..., None], 3, 2))
        assert np.array_equal(read(image, 1), np.asarray(grey))
    palette = Image.fromarray(array).convert("P", palette=Image.Palette.ADAPTIVE)
    assert np.array_equal(read(palette), np.asarray(palette.convert("RGB")))
    assert np.array_equal(read(array[..., 0] > 100, 1), (array[..., 0] > 100) * 255)


def test_transparent_is_white(array: np.ndarray) -> None:
    alpha = np.zeros((6, 9, 1), np.uint8)
    alpha[:, 4:] = 255
    rgba = np.concatenate([array, alpha], 2)
    for image in (Image.fromarray(rgba), rgba):
        found = read(image)
        assert (found[:, :4] == 255).all()
        assert np.array_equal(found[:, 4:], array[:, 4:])


def test_sixteen_bits_are_scaled_not_cut(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 54).reshape(6, 9).astype(np.uint16)
    image = Image.fromarray(values)
    path = tmp_path / "deep.png"
    image.save(path)
    for given in (image, path, values):
        assert np.abs(read(given, 1).astype(int) - values / 257).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_as_the_camera_was_held(array: np.ndarray, tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "held.png"
    Image.fromarray(array).save(path, exif=exif)
    upright = {
        1: array,
        2: array[:, ::-1],
        3: array[::-1, ::-1],
        4: array[::-1],
        5: array.transpose(1, 0, 2),
        6: np.rot90(array, -1),
        7: array[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(array),
    }[orientation]
    assert np.array_equal(read(path), upright)
    assert np.array_equal(read(Image.open(path)), upright)


def test_one_image_or_several(array: np.ndarray) -> None:
    assert len(as_list(array)) == len(as_list("a.png")) == len(as_list(Path("a.png"))) == 1
    assert len(as_list([array, array])) == len(as_list((array, array))) == len(as_list(np.stack([array] * 2))) == 2
    nothing: list[Any] = [[], (), torch.zeros(0, 3, 4, 4)]
    for empty in nothing:
        with pytest.raises(ValueError, match="images is empty; give at least one image"):
            as_list(empty)


@pytest.mark.parametrize(
    ("image", "kind", "message"),
    [
        (3, TypeError, r"an image is int; give a path, a PIL image"),
        (np.zeros((4, 5, 2), np.uint8), ValueError, r"an image array has shape \(4, 5, 2\); give \(H, W, C\)"),
        (np.zeros((0, 5, 3), np.uint8), ValueError, "an image array has shape"),
        (torch.zeros(5, 4, 4), ValueError, r"an image tensor has shape \(5, 4, 4\); give \(C, H, W\)"),
        (torch.full((3, 4, 4), torch.nan), ValueError, "an image tensor has NaN or infinite values; clean it"),
        (torch.randn(3, 40, 40), ValueError, r"not in \[0, 1\]; give pixel values, or pass a normalised batch"),
        (np.full((4, 4, 3), 300), ValueError, r"has values from 300 to 300, not in \[0, 255\]"),
    ],
)
def test_what_is_no_image(image: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        to_pil(image, 3)


def test_files_that_are_no_image(array: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ValueError, match="is not an image that PIL can read; convert it to PNG or JPEG"):
        to_pil(tmp_path / "notes.txt", 3)
    with pytest.raises(FileNotFoundError, match="no image file at"):
        to_pil(tmp_path, 3)
    large = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8))
    large.save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"cannot be read as an image .* save or download it again"):
        to_pil(tmp_path / "cut.jpg", 3)
