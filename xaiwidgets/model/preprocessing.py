"""Images on their way into a model and back: sizes, statistics, checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from xaiwidgets.model.arguments import pair, ready
from xaiwidgets.model.images import as_list, to_pil

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
        if self.channels not in (1, 3) and (self.transform is None or size is not None):
            raise ValueError(
                f"pictures have 1 or 3 channels, {self.name} takes {self.channels}; "
                f"make a normalised tensor (N, {self.channels}, H, W) yourself, or give transform="
            )
        pictures = [to_pil(image, self.channels) for image in as_list(images)]
        if size is not None:
            height, width = pair("size", size)
            return torch.stack(
                [
                    self._to_tensor(picture.resize((width, height), Image.Resampling.BICUBIC)).to(device)
                    for picture in pictures
                ]
            )
        transform = self.transform or self._resize_and_crop
        found = [ready(transform(picture), self.channels).to(device, torch.float32) for picture in pictures]
        sizes = {tuple(image.shape) for image in found}
        if len(sizes) > 1:
            raise ValueError(f"transform gives images of shapes {sorted(sizes)}; let it end in one size, or give size=")
        return torch.stack(found)

    def pixels(self, x: Tensor) -> Tensor:
        """Normalised images (N, C, H, W) as pixel values in [0, 1], clamped."""
        mean, std = self._statistics(x)
        found = (x * std + mean).clamp(0, 1)
        return found if self._usual else found[:, [self.order.index(channel) for channel in range(self.channels)]]

    def normalise(self, pixels: Tensor) -> Tensor:
        """Pixel values in [0, 1], shape (N, C, H, W), as the model takes them."""
        mean, std = self._statistics(pixels)
        return ((pixels if self._usual else pixels[:, list(self.order)]) - mean) / std

    @property
    def _usual(self) -> bool:
        return self.order in ((), tuple(range(self.channels)))

    def validate(self, x: Any, device: torch.device, argument: str = "x") -> Tensor:
        """``x`` as a float32 batch (N, C, H, W) on a device; see `ImageModel.validate`."""
        if not isinstance(x, Tensor):
            raise TypeError(
                f"{argument} is {type(x).__name__}; "
                f"give a tensor (N, {self.channels}, H, W), as model.prepare(image) makes"
            )
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
        x = x.detach().to(device, torch.float32)
        if x.is_inference() and not torch.is_inference_mode_enabled():
            x = x.clone()
        finite = torch.isfinite(x).flatten(1).all(1)
        if not finite.all():
            bad = int((~finite).nonzero()[0])
            raise ValueError(f"{argument}[{bad}] has NaN or infinite values; clean the image before explaining it")
        return x

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        mean = torch.tensor(self.mean, device=like.device, dtype=like.dtype).view(-1, 1, 1)
        std = torch.tensor(self.std, device=like.device, dtype=like.dtype).view(-1, 1, 1)
        return mean, std

    def _resize_and_crop(self, picture: Image.Image) -> Tensor:
        from torchvision.transforms.v2 import functional as F

        height, width = self.input_size
        # The smaller ratio must still cover the crop.
        ratio = max(height / picture.height, width / picture.width)
        if ratio != 1:
            size = [max(height, round(picture.height * ratio)), max(width, round(picture.width * ratio))]
            picture = F.resize(picture, size, antialias=True)
        return self._to_tensor(F.center_crop(picture, [height, width]))

    def _to_tensor(self, picture: Image.Image) -> Tensor:
        from torchvision.transforms.v2 import functional as F

        pixels = F.to_dtype(F.to_image(picture), torch.float32, scale=True)
        return self.normalise(pixels[None])[0]
