"""Pixel flipping, step by step: `schedules` and `orders` say what is flipped when, `frames` makes what the model sees, `plan` does the
work, `collected` gathers it, `result` answers. It imports the rest of evaluate but gae, and model, results, workers, errors."""

from xaiwidgets.evaluate.flipping.measure import pixel_flipping, stream_pixel_flipping
from xaiwidgets.evaluate.flipping.result import FlippingResult, Row

__all__ = ["FlippingResult", "Row", "pixel_flipping", "stream_pixel_flipping"]
