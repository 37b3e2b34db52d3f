"""What a widget's Save menu downloads."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Locator


def save(widget: Locator, kind: str, folder: Path) -> Path:
    """Choose an entry of the Save menu (the first that begins so); gives the file that came, under the name it came with."""
    widget.get_by_role("button", name="Save").click()
    with widget.page.expect_download() as waiting:
        widget.get_by_role("menuitem", name=kind).first.click()
    target = folder / waiting.value.suggested_filename
    waiting.value.save_as(target)
    return target
