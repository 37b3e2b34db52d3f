"""Can an explanation be believed? Pixel flipping, GAE, localisation, sanity checks: for any explainer."""

from xaiwidgets.evaluate.curves import FlippingResult, Row
from xaiwidgets.evaluate.flipping import pixel_flipping, stream_pixel_flipping

__all__ = ["FlippingResult", "Row", "pixel_flipping", "stream_pixel_flipping"]
