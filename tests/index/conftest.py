from __future__ import annotations

from tests.residual import images, residual

__all__ = ["images", "residual"]
