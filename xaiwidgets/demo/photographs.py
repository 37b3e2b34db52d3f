"""A few photographs in the public domain that come with scikit-image (extra `photos`), for models of real images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Photograph", "photographs"]


@dataclass(frozen=True)
class Photograph:
    """One photograph: `image` (H, W, 3) uint8, its `name`, and by whom it is."""

    name: str
    image: NDArray[np.uint8]
    credit: str


_FOUND: Final[dict[str, tuple[Callable[[Any], Any], str]]] = {
    "cat": (lambda data: data.chelsea(), "Stefan van der Walt, CC0"),
    "cup": (lambda data: data.coffee(), "Rachel Michetti, CC0"),
    "rocket": (lambda data: data.rocket(), "SpaceX, public domain"),
    "camera": (lambda data: np.stack([data.camera()] * 3, -1), "Lav Varshney, CC0"),
}
"""Those that lie in the package itself: others of scikit-image's are fetched when asked for."""


def photographs(count: int = len(_FOUND)) -> list[Photograph]:
    """Up to four photographs: a cat, a cup of coffee, a rocket, a man with a camera.

    Raises:
        ModuleNotFoundError: scikit-image is not installed. ValueError: another number.
    """
    if not 1 <= count <= len(_FOUND):
        raise ValueError(f"count={count} is out of range. Give 1 to {len(_FOUND)}.")
    try:
        from skimage import data
    except ImportError as error:
        raise ModuleNotFoundError(
            "photographs come with scikit-image, which is not installed: pip install 'xaiwidgets[photos]'"
        ) from error
    return [
        Photograph(name, np.ascontiguousarray(take(data), dtype=np.uint8), credit)
        for name, (take, credit) in list(_FOUND.items())[:count]
    ]
