"""Drawing of one shapes picture: a `Scene` says what is in it, `render` turns it into pixels and masks.

Shapes are signed distance functions, so a picture is anti-aliased without supersampling and its object mask is known
exactly. Every shape is scaled to the area asked for, so that the area does not tell the class.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["BACKGROUNDS", "COLOURS", "SHAPES", "TEXTURES", "Scene", "distance", "render"]

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Pixels = NDArray[np.uint8]

SHAPES: Final = ("circle", "square", "triangle", "star", "cross", "ring", "heart", "crescent")
TEXTURES: Final = ("plain", "stripes", "dots", "checker")
BACKGROUNDS: Final = ("plain", "gradient", "clouds", "waves", "speckles")
COLOURS: Final[dict[str, tuple[float, float, float]]] = {
    "red": (0.86, 0.20, 0.20),
    "orange": (0.95, 0.52, 0.12),
    "yellow": (0.96, 0.80, 0.16),
    "green": (0.24, 0.66, 0.32),
    "teal": (0.08, 0.64, 0.66),
    "blue": (0.18, 0.38, 0.82),
    "purple": (0.52, 0.28, 0.74),
    "pink": (0.92, 0.42, 0.66),
}

# The mark of the Clever Hans variant: dark letters "XW" on a light plate with a dark rim, one character a pixel.
_TAG_DRAWING: Final = (
    " ############# ",
    "#.............#",
    "#.#...#.#...#.#",
    "#..#.#..#...#.#",
    "#...#...#.#.#.#",
    "#..#.#..##.##.#",
    "#.#...#.#...#.#",
    "#.............#",
    " ############# ",
)
_TAG_TONES: Final = {"#": (0.10, 0.12, 0.18), ".": (0.97, 0.97, 0.94)}
_FAINTEST: Final = (
    1 / 16
)  # coverage below this is not drawn, so that the mask says exactly which pixels the object changes


@dataclass(frozen=True)
class Scene:
    """Everything that decides one picture; change a field with `dataclasses.replace` to draw a counterfactual.

    Lengths are in units of the picture's side (0 to 1), angles in radians, `centre` is (y, x).
    """

    shape: str
    colour: str
    texture: str
    background: str
    centre: tuple[float, float]
    area: float
    angle: float
    tone: tuple[float, float, float]
    texture_angle: float
    texture_period: float
    texture_light: float
    background_tones: tuple[tuple[float, float, float], tuple[float, float, float]]
    background_angle: float
    background_period: float
    grain: float
    tag: tuple[float, float] | None
    key: tuple[int, int]


def _circle(x: Floats, y: Floats) -> Floats:
    return np.hypot(x, y) - np.float32(1.0)


def _square(x: Floats, y: Floats) -> Floats:
    return np.maximum(np.abs(x), np.abs(y)) - np.float32(1.0)


def _triangle(x: Floats, y: Floats) -> Floats:
    slanted = np.abs(x) * np.float32(0.8660254) - y * np.float32(0.5)
    return np.maximum(slanted, y) - np.float32(0.5)


def _star(x: Floats, y: Floats) -> Floats:
    # Fold the plane into one half of one arm; its edge runs from the tip (1, 0) to the notch at radius 0.5.
    sector = np.float32(2 * np.pi / 5)
    theta = np.arctan2(x, -y)
    folded = np.abs(theta - sector * np.round(theta / sector))
    radius = np.hypot(x, y)
    notch_x, notch_y = 0.5 * np.cos(np.pi / 5), 0.5 * np.sin(np.pi / 5)
    length = np.hypot(1.0 - notch_x, notch_y)
    across, along = np.float32(notch_y / length), np.float32((1.0 - notch_x) / length)
    edge = (radius * np.cos(folded) - np.float32(1.0)) * across + radius * np.sin(folded) * along
    return np.asarray(edge, dtype=np.float32)


def _cross(x: Floats, y: Floats) -> Floats:
    across, along = np.abs(x), np.abs(y)
    return np.maximum(np.maximum(across, along) - np.float32(1.0), np.minimum(across, along) - np.float32(0.34))


def _ring(x: Floats, y: Floats) -> Floats:
    return np.abs(np.hypot(x, y) - np.float32(0.75)) - np.float32(0.25)


def _heart(x: Floats, y: Floats) -> Floats:
    # After I. Quilez, "2D distance functions": two arcs on a square standing on its corner.
    across, up = np.abs(x), np.float32(0.656) - y
    lobe = np.hypot(across - np.float32(0.25), up - np.float32(0.75)) - np.float32(np.sqrt(2) / 4)
    half = np.float32(0.5) * np.maximum(across + up, 0)
    cusp = across * across + (up - np.float32(1.0)) ** 2
    flank = (across - half) ** 2 + (up - half) ** 2
    body = np.sqrt(np.minimum(cusp, flank)) * np.sign(across - up)
    return np.where(across + up > 1, lobe, body)


def _crescent(x: Floats, y: Floats) -> Floats:
    shifted = x - np.float32(0.358)
    bite = np.hypot(shifted - np.float32(0.55), y) - np.float32(0.78)
    return np.maximum(np.hypot(shifted, y) - np.float32(1.0), -bite)


# Distance function and area of the shape as the function draws it (a test integrates the areas again).
_DISTANCES: Final[dict[str, tuple[Callable[[Floats, Floats], Floats], float]]] = {
    "circle": (_circle, np.pi),
    "square": (_square, 4.0),
    "triangle": (_triangle, 1.29904),
    "star": (_star, 1.46946),
    "cross": (_cross, 2.2576),
    "ring": (_ring, 0.75 * np.pi),
    "heart": (_heart, 0.89303),
    "crescent": (_crescent, 1.66141),
}


def distance(shape: str, x: Floats, y: Floats) -> Floats:
    """Signed distance to the outline of `shape` of area one around the origin, negative inside; as large as x and y."""
    function, area = _DISTANCES[shape]
    scale = np.float32(np.sqrt(area))
    return function(x * scale, y * scale) / scale


@functools.lru_cache(maxsize=8)
def _grid(size: int) -> tuple[Floats, Floats]:
    """Pixel centres in units of the side: y (size, 1) and x (1, size)."""
    steps = ((np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)).astype(np.float32)
    return steps[:, None], steps[None, :]


@functools.lru_cache(maxsize=8)
def _smooth_weights(size: int, knots: int) -> Floats:
    """(size, knots) weights that interpolate a row of knots smoothly (raised-cosine), each row summing to one."""
    position = (np.arange(size) + 0.5) / size * (knots - 1)
    left = np.clip(np.floor(position).astype(int), 0, knots - 2)
    share = (1 - np.cos(np.pi * (position - left))) / 2
    weights = np.zeros((size, knots), dtype=np.float32)
    weights[np.arange(size), left] = 1 - share
    weights[np.arange(size), left + 1] = share
    return weights


@functools.lru_cache(maxsize=8)
def _tag_pixels(size: int) -> tuple[Floats, Bools]:
    """The tag's colours (h, w, 3) and which of its pixels are opaque (h, w), enlarged to fit a picture of this size."""
    factor = max(1, round(size / 64))
    tones = np.array([[_TAG_TONES.get(mark, (0.0, 0.0, 0.0)) for mark in row] for row in _TAG_DRAWING], np.float32)
    opaque = np.array([[mark != " " for mark in row] for row in _TAG_DRAWING])
    return tones.repeat(factor, 0).repeat(factor, 1), opaque.repeat(factor, 0).repeat(factor, 1)


def tag_shape(size: int) -> tuple[int, int]:
    """Height and width of the tag in pixels in a picture of this size."""
    height, width = _tag_pixels(size)[1].shape
    return height, width


def _background(scene: Scene, size: int, generator: np.random.Generator) -> Floats:
    """The (size, size, 3) picture behind the object: two muted tones mixed by a field, and monochrome grain."""
    y, x = _grid(size)
    knots = generator.random(
        (6, 6), dtype=np.float32
    )  # drawn for every kind, so that the kind does not shift the grain
    grain = generator.random((size, size), dtype=np.float32) - np.float32(0.5)
    sine, cosine = np.float32(np.sin(scene.background_angle)), np.float32(np.cos(scene.background_angle))
    along = x * cosine + y * sine
    field: Floats
    if scene.background == "plain":
        field = np.full((size, size), knots[0, 0], dtype=np.float32)
    elif scene.background == "gradient":
        field = np.clip((along - np.float32(0.5)) * np.float32(0.8) + np.float32(0.5), 0, 1)
    elif scene.background == "clouds":
        weights = _smooth_weights(size, 6)
        field = np.asarray(weights @ knots @ weights.T, dtype=np.float32)
    elif scene.background == "waves":
        across = y * cosine - x * sine
        phase = along + np.float32(0.03) * np.sin(across * np.float32(14.0) + knots[0, 0] * np.float32(6.3))
        field = np.float32(0.5) + np.float32(0.3) * np.sin(phase * np.float32(2 * np.pi / scene.background_period))
    else:
        weights = _smooth_weights(size, 6)
        spots = np.where(grain > np.float32(0.44), np.float32(0.7), np.float32(0.0))
        field = np.clip(np.float32(0.5) * (weights @ knots @ weights.T) + spots, 0, 1)
    first, second = np.array(scene.background_tones, dtype=np.float32)
    picture = field[..., None] * (second - first) + first
    picture += (grain * np.float32(scene.grain))[..., None]
    return picture


def _fill(scene: Scene, size: int, depth: Floats) -> Floats:
    """The (size, size, 3) colours of the object: two tones in the pattern, a little light from above, a darker rim."""
    y, x = _grid(size)
    tone = np.array(scene.tone, dtype=np.float32)
    light = np.float32(scene.texture_light)
    second = tone + (1 - tone) * light if light > 0 else tone * (1 + light)
    if scene.texture == "plain":
        pattern = np.zeros((size, size), dtype=np.float32)
    else:
        sine, cosine = np.float32(np.sin(scene.texture_angle)), np.float32(np.cos(scene.texture_angle))
        frequency = np.float32(2 * np.pi / scene.texture_period)
        along = (x - np.float32(scene.centre[1])) * cosine + (y - np.float32(scene.centre[0])) * sine
        across = (y - np.float32(scene.centre[0])) * cosine - (x - np.float32(scene.centre[1])) * sine
        # The slope turns the wave into bands whose edges are about one pixel wide.
        slope = np.float32(size / frequency)
        if scene.texture == "stripes":
            wave = np.sin(along * frequency)
        elif scene.texture == "dots":
            wave = np.cos(along * frequency) + np.cos(across * frequency) - np.float32(0.7)
        else:
            wave = np.sin(along * frequency) * np.sin(across * frequency) * np.float32(1.4)
        pattern = np.clip(wave * slope + np.float32(0.5), 0, 1)
    colours = pattern[..., None] * (second - tone) + tone
    shade = np.float32(1.06) - np.float32(0.22) * y
    rim = np.clip((depth + np.float32(0.035)) * np.float32(40.0), 0, 1) * np.float32(0.30)
    colours *= (shade * (1 - rim))[..., None]
    return colours


def render(scene: Scene, size: int = 64, *, with_object: bool = True) -> tuple[Pixels, Bools, Bools]:
    """Draw a scene on `size` x `size` pixels.

    Returns the picture (size, size, 3) uint8, the mask of the pixels where the object shows and the mask of the tag,
    both (size, size) bool. Without the object (`with_object=False`) the object mask is empty and all pixels outside it
    are the same as with the object. What the tag covers belongs to the tag's mask only.
    """
    stream = np.random.Philox(key=np.array(scene.key, dtype=np.uint64))
    generator = np.random.Generator(stream.advance(1 << 20))  # the scene was drawn from the start of this stream
    picture = _background(scene, size, generator)
    mask = np.zeros((size, size), dtype=bool)
    if with_object:
        y, x = _grid(size)
        side = np.float32(np.sqrt(scene.area))
        sine, cosine = np.float32(np.sin(scene.angle) / side), np.float32(np.cos(scene.angle) / side)
        down, right = y - np.float32(scene.centre[0]), x - np.float32(scene.centre[1])
        depth = distance(scene.shape, right * cosine + down * sine, down * cosine - right * sine) * side
        coverage = np.clip(np.float32(0.5) - depth * np.float32(size), 0, 1)
        coverage[coverage < _FAINTEST] = 0
        mask = coverage > 0
        picture += coverage[..., None] * (_fill(scene, size, depth) - picture)
    tag_mask = np.zeros((size, size), dtype=bool)
    if scene.tag is not None:
        tones, opaque = _tag_pixels(size)
        height, width = opaque.shape
        top, left = round(scene.tag[0] * (size - height)), round(scene.tag[1] * (size - width))
        tag_mask[top : top + height, left : left + width] = opaque
        picture[top : top + height, left : left + width][opaque] = tones[opaque]
        mask &= ~tag_mask
    np.clip(picture, 0, 1, out=picture)
    return (picture * np.float32(255) + np.float32(0.5)).astype(np.uint8), mask, tag_mask
