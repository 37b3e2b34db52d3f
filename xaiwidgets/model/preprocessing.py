"""Images on their way into a model and back: sizes, statistics, checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from xaiwidgets.devices import sent
from xaiwidgets.model.arguments import pair, ready
from xaiwidgets.model.images import VOLUMES, as_list, to_pil, to_planes

__all__ = ["Preprocessing"]


@dataclass(frozen=True)
class Preprocessing:
    """How a model takes its images.

    Attributes:
        name: of the model, for errors. channels: of the images. input_size: (H, W) that pictures are brought to.
        mean, std: of each channel, for pixel values in [0, 1].
        order: which channel of a picture (red, green, blue) each of the model's is; empty for the usual order.
        transform: from a PIL image to (C, H, W), in place of resizing, cropping and normalising.
    """

    name: str
    channels: int
    input_size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    order: tuple[int, ...] = ()
    transform: Callable[[Image.Image], Tensor] | None = None

    def prepare(self, images: Any, device: torch.device, *, size: Any = None) -> Tensor:
        """Whatever people call images as (N, C, H, W) on a device; see `ImageModel.prepare`."""
        pictures = [self._picture(image) for image in as_list(images)]
        if size is not None:
            height, width = pair("size", size)
            return torch.stack([self._resized(picture, height, width).to(device) for picture in pictures])
        transform: Callable[[Any], Tensor] = self.transform or self._resize_and_crop
        found = [ready(transform(picture), self.channels).to(device, torch.float32) for picture in pictures]
        sizes = {tuple(image.shape) for image in found}
        if len(sizes) > 1:
            raise ValueError(f"transform gives images of shapes {sorted(sizes)}; let it end in one size, or give size=")
        return torch.stack(found)

    def _picture(self, image: Any) -> Image.Image | Tensor:
        """As a PIL picture; of other channels than pictures have, as floats (C, H, W)."""
        # A transform of a person's own may make such channels of a picture.
        of_picture = self.transform is not None and not isinstance(image, Tensor | np.ndarray)
        if self.channels in (1, 3) or of_picture:
            return to_pil(image, self.channels)
        if not isinstance(image, Tensor | np.ndarray):
            raise ValueError(
                f"pictures have 1 or 3 channels, {self.name} takes {self.channels}; "
                f"make a normalised tensor (N, {self.channels}, H, W) yourself, give transform=, or an array (H, W, {self.channels})"
            )
        return to_planes(image, self.channels, max(*self.mean, *self.std) > 1)

    def _resized(self, picture: Image.Image | Tensor, height: int, width: int) -> Tensor:
        if isinstance(picture, Tensor):
            sized = F.interpolate(picture[None], (height, width), mode="bilinear", antialias=True)
            return self.normalise(sized)[0]
        return self._to_tensor(picture.resize((width, height), Image.Resampling.BICUBIC))

    def pixels(self, x: Tensor) -> Tensor:
        """Normalised images (N, C, H, W) as pixel values in [0, 1], clamped."""
        return self.plain(x).clamp(0, 1)

    def plain(self, x: Tensor) -> Tensor:
        """Normalised images (N, C, H, W) as pixel values, also those beyond [0, 1]."""
        mean, std = self._statistics(x)
        found = x * std + mean
        return found if self._usual else found[:, [self.order.index(channel) for channel in range(self.channels)]]

    def normalise(self, pixels: Tensor) -> Tensor:
        """Pixel values in [0, 1], shape (N, C, H, W), as the model takes them."""
        mean, std = self._statistics(pixels)
        return ((pixels if self._usual else pixels[:, list(self.order)]) - mean) / std

    @property
    def _usual(self) -> bool:
        return self.order in ((), tuple(range(self.channels)))

    def takes_as(self, other: Preprocessing) -> bool:
        """Whether images that are ready for one are ready for the other, their size aside."""
        order = [preprocessing.order or tuple(range(preprocessing.channels)) for preprocessing in (self, other)]
        return (self.mean, self.std, order[0]) == (other.mean, other.std, order[1])

    def validate(self, x: Any, device: torch.device, argument: str = "x") -> Tensor:
        """``x`` as a float32 batch (N, C, H, W) on a device; see `ImageModel.validate`."""
        if not isinstance(x, Tensor):
            raise TypeError(
                f"{argument} is {type(x).__name__}; "
                f"give a tensor (N, {self.channels}, H, W), as model.prepare(image) makes"
            )
        if x.ndim == 5:
            raise ValueError(f"{argument} has shape {tuple(x.shape)}: {VOLUMES}")
        if x.ndim == 3:
            x = x[None]
        if x.ndim != 4:
            raise ValueError(
                f"{argument} has shape {tuple(x.shape)}; give (N, {self.channels}, H, W), as model.prepare(image) makes"
            )
        if x.shape[0] == 0 or x.shape[2] == 0 or x.shape[3] == 0:
            raise ValueError(f"{argument} has shape {tuple(x.shape)}: no image in it; give at least one")
        if x.shape[1] != self.channels:
            raise ValueError(
                f"{argument} has {x.shape[1]} channels, {self.name} takes {self.channels}; "
                f"give (N, {self.channels}, H, W), as model.prepare(image) makes"
            )
        if not x.is_floating_point():
            kind = str(x.dtype).removeprefix("torch.")
            raise ValueError(
                f"{argument} is of {kind}; pixel values become what the model takes by model.prepare({argument})"
            )
        if x.layout != torch.strided or x.is_meta:
            kind = "on the meta device, without values" if x.is_meta else f"of layout {x.layout}"
            raise ValueError(
                f"{argument} is {kind}; give a dense tensor with values, as {argument}.to_dense() makes of a sparse one"
            )
        x = sent(x.detach(), device, torch.float32)
        if x.is_inference() and not torch.is_inference_mode_enabled():
            x = x.clone()
        finite = torch.isfinite(x).flatten(1).all(1)
        if not finite.all():
            bad = int((~finite).nonzero()[0])
            raise ValueError(f"{argument}[{bad}] has NaN or infinite values; clean the image before explaining it")
        return x

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        mean = sent(self.mean, like.device, like.dtype).view(-1, 1, 1)
        std = sent(self.std, like.device, like.dtype).view(-1, 1, 1)
        return mean, std

    def _resize_and_crop(self, picture: Any) -> Tensor:
        from torchvision.transforms.v2 import functional

        height, width = self.input_size
        rows, columns = picture.shape[1:] if isinstance(picture, Tensor) else (picture.height, picture.width)
        # The smaller ratio must still cover the crop.
        ratio = max(height / rows, width / columns)
        if ratio != 1:
            size = [max(height, round(rows * ratio)), max(width, round(columns * ratio))]
            picture = functional.resize(picture, size, antialias=True)
        picture = functional.center_crop(picture, [height, width])
        return self.normalise(picture[None])[0] if isinstance(picture, Tensor) else self._to_tensor(picture)

    def _to_tensor(self, picture: Image.Image) -> Tensor:
        from torchvision.transforms.v2 import functional

        pixels = functional.to_dtype(functional.to_image(picture), torch.float32, scale=True)
        return self.normalise(pixels[None])[0]
