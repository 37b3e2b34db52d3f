"""An overlay of two models in a browser, and its popup Compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from playwright.sync_api import Browser, Locator

from tests.widgets.conftest import Recorded
from xaiwidgets import LRP, ImageModel
from xaiwidgets.demo import Shapes

from .live import Live

__all__ = ["IMAGES", "Open", "compare", "frames", "labels_of", "overlays"]

IMAGES = 64
Open = Callable[..., Live]


def overlays(chromium: Browser, cnn: ImageModel, vit: ImageModel) -> Iterator[Open]:
    """Gives what opens an overlay of two models, and closes all at the end."""
    made: list[tuple[Any, Recorded]] = []
    data = Shapes(IMAGES)
    everything = torch.stack([data[i][0] for i in range(IMAGES)])
    labels = [int(data[i][1]) for i in range(IMAGES)]
    labels[3] = (labels[3] + 1) % 8

    def start(
        images: int = 8, width: int = 1400, height: int = 900, dark: bool = False, explainers: Any = None, **view: Any
    ) -> Live:
        explainers = explainers or {"CNN": LRP(cnn), "ViT": LRP(vit)}
        widget = Recorded(explainers, everything[:images], labels=labels[:images], **view)
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
        )
        made.append((context, widget))
        live = Live(context.new_page(), widget)
        live.root.get_by_role("button", name="Got it").click()
        live.turn()
        return live

    yield start
    for context, widget in made:
        context.close()
        widget.close()


def compare(live: Live, by: str) -> Locator:
    """Opens the popup and chooses what is compared."""
    box = live.root.get_by_role("dialog", name="Compare")
    if box.count() == 0:
        live.root.get_by_role("button", name="Compare").click()
    box.get_by_role("radio", name=by, exact=True).click()
    live.turn()
    return box


def labels_of(live: Live) -> list[str]:
    texts = live.root.locator(".xw-caption-label").all_inner_texts()
    return [text.replace("?", "").strip() for text in texts]


def frames(live: Live) -> list[Locator]:
    return live.root.locator(".xw-frame").all()
