"""Curves in processes of their own, to be killed. Preloaded in a fork server, so that each begins at once."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from tests.evaluate.conftest import small_model
from xaiwidgets.baselines import GradientXInput
from xaiwidgets.evaluate import (
    FlippingResult,
    GaeResult,
    gae,
    pixel_flipping,
    resuming,
    stream_gae,
    stream_pixel_flipping,
)

LENGTH = 48
FLIP: dict[str, Any] = {"perturb": "random", "patch": 4, "random": 1, "batch_size": 8, "order": "both"}
GAE: dict[str, Any] = {"steps": 3, "batch_size": 4}


class Pictures(Dataset[Any]):
    """Random images with a label each, which take a while to read."""

    def __init__(self, seconds: float = 0.0, seed: int = 0) -> None:
        self.images = torch.randn(LENGTH, 3, 20, 28, generator=torch.Generator().manual_seed(seed))
        self.seconds = seconds

    def __len__(self) -> int:
        return LENGTH

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        time.sleep(self.seconds)
        return self.images[index], index % 5


def methods() -> dict[str, Any]:
    return {"g": GradientXInput(small_model()), "energy": lambda x, target: x.square().sum(1)}


def curves(folder: Path | None, **options: Any) -> FlippingResult:
    return pixel_flipping(
        small_model(), Pictures(), methods(), **{**FLIP, "progress": False, "folder": folder, **options}
    )


def scores(folder: Path | None, **options: Any) -> GaeResult:
    return gae(small_model(), Pictures(), methods(), **{**GAE, "progress": False, "folder": folder, **options})


def begin(kind: str, folder: Path, begun: Any) -> None:
    """Begin in a folder, writing often; say when some images are done, and go on until killed."""
    torch.set_num_threads(1)
    resuming._IMAGES = 2
    stream: Any = stream_gae if kind == "gae" else stream_pixel_flipping
    options = GAE if kind == "gae" else FLIP
    for count, _ in enumerate(stream(small_model(), Pictures(0.02), methods(), folder=folder, **options)):
        if count == 3:
            begun.set()


def context() -> Any:
    """Processes that begin with everything imported."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["tests.evaluate.resumed"])
    return made
