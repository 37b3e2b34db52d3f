"""What the model sees in place of flipped patches: each perturbation is a small function over a batch of frames."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xaiwidgets.devices import sent
from xaiwidgets.errors import unknown
from xaiwidgets.evaluate.inpaint import onion, telea
from xaiwidgets.relax.parts import fill_blur


@dataclass
class Scene:
    """A batch of n frames to make, with all that a perturbation may look at.

    Attributes:
        x: (n, C, H, W) the untouched images, in the model's input space.
        hidden: (n, 1, H, W) bool, which pixels are flipped.
        step, ranks: (n,) each frame's step, and (n, patches) its order.
        hidden_at: (frame, step) -> bool (1, 1, H, W), what that frame's order has flipped after another step.
        step_of: patches -> pixels: the step at which each pixel is flipped, (n, H, W).
        images: index of each frame's image, which with the seed sets its random numbers.
        once: (name, function of one image (C, H, W) and a numpy generator -> Tensor): the values of every frame's image, (n, …),
            computed once an image.
        memory: what a perturbation wants to find again at a later frame of the block.
        pixels, normalise: from the model's input space to pixel values in [0, 1], and back.
    """

    x: Tensor
    hidden: Tensor
    step: Tensor
    ranks: Tensor
    hidden_at: Callable[[int, int], Tensor]
    step_of: Callable[[Tensor], Tensor]
    images: tuple[int, ...]
    steps: int
    once: Callable[[str, Callable[[Tensor, np.random.Generator], Tensor]], Tensor]
    memory: dict[Any, Any]
    pixels: Callable[[Tensor], Tensor]
    normalise: Callable[[Tensor], Tensor]


Perturbation = Callable[[Scene], Tensor]
"""scene -> what shows where ``scene.hidden``, of a shape that broadcasts to (n, C, H, W), in the model's input space."""


def zero(scene: Scene) -> Tensor:
    """0 in the model's input space: the mean colour of its training images, where inputs are normalised."""
    return scene.x.new_zeros(())


def gray(scene: Scene) -> Tensor:
    """Midway between the image's smallest and largest value."""
    return scene.once("gray", lambda image, _: ((image.min() + image.max()) / 2).view(1, 1, 1))


def mean(scene: Scene) -> Tensor:
    """The image's mean colour."""
    return scene.once("mean", lambda image, _: image.mean((1, 2), keepdim=True))


def blur(scene: Scene) -> Tensor:
    """The image itself, blurred until no object is left."""
    return scene.once("blur", lambda image, _: fill_blur(image[None], torch.Generator())[0])


def noise(scene: Scene) -> Tensor:
    """Gaussian noise with each channel's mean and standard deviation, the same at all steps."""

    def draw(image: Tensor, generator: np.random.Generator) -> Tensor:
        field = sent(generator.standard_normal(tuple(image.shape), dtype=np.float32), image.device, image.dtype)
        return field * image.std((1, 2), keepdim=True, correction=0) + image.mean((1, 2), keepdim=True)

    return scene.once("noise", draw)


def random(scene: Scene) -> Tensor:
    """One value a step, uniform between the image's smallest and largest value: what a step flips keeps its value (lrp-pf-auc)."""

    def draw(image: Tensor, generator: np.random.Generator) -> Tensor:
        low, high = torch.stack(image.aminmax()).tolist()
        # Step 0 flips nothing and draws nothing.
        values = [0.0, *(generator.uniform(low, high) for _ in range(scene.steps))]
        return sent(values, image.device, image.dtype)

    values = scene.once("random", draw)
    return scene.step_of(values)[:, None]


def random_pixel(scene: Scene) -> Tensor:
    """A value for every pixel and channel, uniform between the image's smallest and largest value, the same at all steps."""

    def draw(image: Tensor, generator: np.random.Generator) -> Tensor:
        field = sent(generator.random(tuple(image.shape), dtype=np.float32), image.device, image.dtype)
        return image.min() + field * (image.max() - image.min())

    return scene.once("random_pixel", draw)


def inpaint(scene: Scene) -> Tensor:
    """Filled from what still shows around, on the device (:func:`~xaiwidgets.evaluate.inpaint.onion`)."""
    return scene.normalise(onion(scene.pixels(scene.x), scene.hidden))


def inpaint_telea(scene: Scene) -> Tensor:
    """Filled from what still shows around by OpenCV, each step on top of the one before; with all hidden, as that left it (lrp-pf-auc).

    OpenCV reads a little of what its mask hides, so that the chain of steps makes a difference of a few of 256 levels.
    """
    pixels = scene.pixels(scene.x)
    made = []
    for frame, step in enumerate(scene.step.tolist()):
        key = ("telea", scene.images[frame], scene.ranks[frame].cpu().numpy().tobytes())
        done, picture = scene.memory.get(key, (0, None))
        if picture is None or done > step:
            done, picture = 0, pixels[frame : frame + 1]
        for later in range(done + 1, step + 1):
            hidden = scene.hidden_at(frame, later)
            if later == 1 or not hidden.all():
                picture = telea(picture, hidden)
        scene.memory[key] = (step, picture)
        made.append(picture)
    return scene.normalise(torch.cat(made))


PERTURBATIONS: Mapping[str, Perturbation] = {
    "inpaint": inpaint,
    "telea": inpaint_telea,
    "random": random,
    "random_pixel": random_pixel,
    "mean": mean,
    "blur": blur,
    "noise": noise,
    "zero": zero,
    "gray": gray,
}


def perturbation(choice: Any) -> Perturbation:
    """The perturbation a name, a number or a person's own function stands for.

    Args:
        choice: a name; a number to put in, in the model's input space; or a function
            (x (n, C, H, W), hidden (n, 1, H, W) bool) -> what shows where hidden, in the model's input space.

    Raises:
        ValueError: an unknown name, or a number that is not finite.
        TypeError: something else.
    """
    if isinstance(choice, str):
        if choice not in PERTURBATIONS:
            raise unknown("perturb", choice, PERTURBATIONS)
        return PERTURBATIONS[choice]
    if isinstance(choice, Real) and not isinstance(choice, bool):
        if not math.isfinite(choice):
            raise ValueError(f"perturb={choice} must be a finite number, in the model's input space")
        return lambda scene: scene.x.new_full((), float(choice))
    if not callable(choice):
        raise TypeError(
            f"perturb is {type(choice).__name__}; give one of {', '.join(map(repr, PERTURBATIONS))}, a number, "
            "or a function (x, hidden) -> fill"
        )
    return lambda scene: _checked(choice(scene.x, scene.hidden), scene.x)


def _checked(fill: Any, x: Tensor) -> Tensor:
    if not isinstance(fill, Tensor):
        raise TypeError(f"perturb gave {type(fill).__name__}; return a tensor that broadcasts to {tuple(x.shape)}")
    try:
        torch.broadcast_shapes(fill.shape, x.shape)
    except RuntimeError:
        raise ValueError(
            f"perturb gave shape {tuple(fill.shape)}; return one that broadcasts to {tuple(x.shape)}"
        ) from None
    if not torch.isfinite(fill).all():
        raise ValueError("perturb gave NaN or infinite values; check the function")
    return fill.detach().to(x)
