from __future__ import annotations

from tests.lrp.conftest import random_model
from tests.residual import images, residual

__all__ = ["images", "random_model", "residual"]
