"""Makes the frames of a curve: an image as the model sees it after any step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xaiwidgets.devices import sent, taken
from xaiwidgets.evaluate.flipping.orders import Grid
from xaiwidgets.evaluate.flipping.schedules import Schedule
from xaiwidgets.evaluate.perturbations import Scene, perturbation


@dataclass(frozen=True)
class Setup:
    """All that a frame depends on beside image and order: plain data, without the model.

    Attributes:
        grid: the patches. schedule: how many are flipped after each step.
        perturb: as :func:`~xaiwidgets.evaluate.perturbations.perturbation` takes it.
        seed: of all random numbers; image i draws from numpy's ``default_rng((seed, i))``, which for i = 0 is ``default_rng(seed)``.
        mean, std: of the model's normalisation.
    """

    grid: Grid
    schedule: Schedule
    perturb: Any
    seed: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def pixels(self, x: Tensor) -> Tensor:
        """From the model's input space (n, C, H, W) to pixel values, clamped to [0, 1]."""
        return (x * self._column(self.std, x) + self._column(self.mean, x)).clamp_(0, 1)

    def normalise(self, pixels: Tensor) -> Tensor:
        """The other way."""
        return (pixels - self._column(self.mean, pixels)) / self._column(self.std, pixels)

    @staticmethod
    def _column(values: tuple[float, ...], like: Tensor) -> Tensor:
        return sent(values, like.device, like.dtype).view(-1, 1, 1)


class Flipper:
    """Frames of a block of images; what is drawn or computed once an image is kept while the block is.

    Args:
        x: (N, C, H, W), in the model's input space.
        setup: grid, schedule, perturbation, seed.
        first: index of the block's first image in the whole data.
    """

    def __init__(self, x: Tensor, setup: Setup, first: int = 0) -> None:
        self.x, self.setup, self.first = x, setup, first
        self._show = perturbation(setup.perturb)
        schedule = setup.schedule
        self._counts = sent(schedule.counts, x.device)
        # The step that flips the patch of each rank; those that no step reaches are never asked for.
        ranks = torch.arange(schedule.patches, device=x.device)
        self._steps = torch.searchsorted(self._counts, ranks, right=True).clamp_max(schedule.steps)
        self._once: dict[tuple[str, int], Tensor] = {}
        self._memory: dict[Any, Any] = {}

    def hidden(self, ranks: Tensor, steps: Tensor) -> Tensor:
        """Which pixels are flipped after each frame's step, bool (n, H, W)."""
        return self.setup.grid.spread(ranks < self._counts[steps][:, None])

    def __call__(self, rows: Sequence[int], ranks: Tensor, steps: Tensor) -> Tensor:
        """Frames (n, C, H, W) in the model's input space.

        Args:
            rows: the image of each frame.
            ranks: (n, patches) of each frame's order. steps: (n,) each frame's step.
        """
        x = taken(self.x, rows)
        hidden = self.hidden(ranks, steps)[:, None]
        scene = Scene(
            x=x,
            hidden=hidden,
            step=steps,
            ranks=ranks,
            hidden_at=lambda frame, step: self.hidden(ranks[frame : frame + 1], steps.new_tensor([step]))[:, None],
            step_of=lambda values: self.setup.grid.spread(values.gather(1, self._steps[ranks])),
            images=tuple(self.first + row for row in rows),
            steps=self.setup.schedule.steps,
            once=lambda name, function: self._each(name, function, rows),
            memory=self._memory,
            pixels=self.setup.pixels,
            normalise=self.setup.normalise,
        )
        frames = torch.where(hidden, self._show(scene), x)
        if self.setup.schedule.gray_last:
            last = steps == self.setup.schedule.steps
            # A look at whether any is last would wait for a device other than the CPU.
            if frames.device.type != "cpu" or last.any():
                middle = (x.amax((1, 2, 3)) + x.amin((1, 2, 3))) / 2
                frames = torch.where(last[:, None, None, None], middle[:, None, None, None], frames)
        return frames

    def _each(self, name: str, function: Any, rows: Sequence[int]) -> Tensor:
        for row in set(rows):
            if (name, row) not in self._once:
                generator = np.random.default_rng((self.setup.seed, self.first + row))
                self._once[name, row] = function(self.x[row], generator)
        return torch.stack([self._once[name, row] for row in rows])
