"""What people call an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from xaiwidgets import ImageModel
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


GREYS: list[tuple[str, float, Any]] = [
    ("F", 1.0, np.float32),
    ("F", 255.0, np.float32),
    ("F", 65535.0, np.float32),
    ("I", 255.0, np.int32),
    ("I", 65535.0, np.int32),
    ("I;16", 65535.0, np.uint16),
]


@pytest.mark.parametrize(("mode", "white", "kind"), GREYS)
def test_greys_beyond_a_byte(mode: str, white: float, kind: Any, tmp_path: Path) -> None:
    values = (np.linspace(0, 1, 54).reshape(6, 9) * white).astype(kind)
    image = Image.fromarray(values)
    assert image.mode == mode
    image.save(tmp_path / "grey.tiff")
    for given in (image, tmp_path / "grey.tiff"):
        assert np.abs(read(given, 1) - values * (255 / white)).max() <= 0.51
        assert np.array_equal(read(given), np.repeat(read(given, 1)[..., None], 3, 2))


def test_a_picture_of_floats_is_what_its_array_is() -> None:
    half = np.full((64, 64), 0.5, np.float32)
    assert np.array_equal(read(Image.fromarray(half)), read(half))
    assert read(Image.fromarray(half)).min() == 128
    # What PIL itself makes of a grey picture.
    grey = Image.fromarray(np.arange(54, dtype=np.uint8).reshape(6, 9) * 4)
    for mode in ("F", "I"):
        assert np.array_equal(read(grey.convert(mode), 1), np.asarray(grey))


def test_every_mode_of_pils(array: np.ndarray) -> None:
    picture = Image.fromarray(array)
    for mode in (
        "RGB",
        "CMYK",
        "YCbCr",
        "HSV",
        "LAB",
        "RGBA",
        "RGBX",
        "RGBa",
        "L",
        "LA",
        "La",
        "1",
        "P",
        "I",
        "F",
        "I;16",
    ):
        grey = mode in {"L", "LA", "La", "1", "I", "F", "I;16"}
        source = picture.convert("L") if grey else picture
        if mode in {"La", "RGBa"}:
            source = source.convert({"La": "LA", "RGBa": "RGBA"}[mode])
        if mode == "LAB":
            from PIL import ImageCms

            profiles = (ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"))
            image = ImageCms.applyTransform(picture, ImageCms.buildTransform(*profiles, "RGB", "LAB"))
            assert image is not None
        elif mode == "I;16":
            image = Image.fromarray(np.asarray(source, np.uint16) * 257)
        else:
            image = source.convert(mode)
        for channels in (1, 3):
            found = read(image, channels).astype(int)
            assert found.shape[:2] == (6, 9)
            if mode not in {"1", "P", "LAB", "HSV", "YCbCr"}:
                expected = np.asarray(source.convert("L" if channels == 1 else "RGB"), int)
                assert np.abs(found - expected).max() <= 1, mode


def test_floats_that_are_no_picture() -> None:
    for values in (np.full((4, 4), -3.0, np.float32), np.full((4, 4), 1e6, np.float32)):
        with pytest.raises(ValueError, match="an image picture of PIL's mode 'F' has values from"):
            to_pil(Image.fromarray(values), 3)
    with pytest.raises(ValueError, match="has NaN or infinite values; clean it first"):
        to_pil(Image.fromarray(np.full((4, 4), np.nan, np.float32)), 3)


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


class TestAdopt:
    """Images that were prepared for another model."""

    @pytest.fixture
    def pair(self) -> tuple[ImageModel, ImageModel]:
        module = nn.Conv2d(3, 2, 3).eval()
        one = ImageModel(module, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3), name="one")
        return one, ImageModel(module, mean=0.1, std=2.0, name="other")

    def test_goes_over_their_pixels(self, pair: tuple[ImageModel, ImageModel]) -> None:
        one, other = pair
        pixels = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 3 - 1
        # Also what no picture has: noise added after the preparation is carried over as it is.
        torch.testing.assert_close(other.adopt(one.normalise(pixels), one), other.normalise(pixels))
        torch.testing.assert_close(one.adopt(other.normalise(pixels), other), one.normalise(pixels))

    def test_alike_is_taken_as_it_is(self, pair: tuple[ImageModel, ImageModel]) -> None:
        one, _ = pair
        x = torch.randn(1, 3, 8, 8)
        assert torch.equal(one.with_module(nn.Conv2d(3, 2, 1).eval()).adopt(x, one), x)
        # Two of which nothing is known take them alike, as far as anybody knows.
        unsaid = [ImageModel(nn.Conv2d(3, 2, 3).eval()) for _ in range(2)]
        assert torch.equal(unsaid[0].adopt(x, unsaid[1]), x)

    def test_what_nobody_said_is_not_guessed(self, pair: tuple[ImageModel, ImageModel]) -> None:
        one, _ = pair
        unsaid = ImageModel(nn.Conv2d(3, 2, 3).eval(), name="unsaid")
        for taker, giver in ((unsaid, one), (one, unsaid)):
            with pytest.raises(ValueError, match="nobody said how unsaid does; give its ImageModel mean= and std="):
                taker.adopt(torch.randn(1, 3, 8, 8), giver)
        grey = ImageModel(nn.Conv2d(1, 2, 3).eval(), mean=0.5, std=0.5, channels=1, name="grey")
        with pytest.raises(ValueError, match="grey takes 1 channels, one 3; give images for each"):
            grey.adopt(torch.randn(1, 3, 8, 8), one)
