"""``python -m tests.pictures``: the screenshots of the README and the book, taken of real widgets in a real browser.

They are kept in notebooks/pictures, under 200 kB each; take them anew when a widget's face has changed.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.chromium import find_chromium

__all__ = ["FIRST", "main"]

FOLDER = Path(__file__).parents[1] / "notebooks" / "pictures"
LARGEST = 200_000
"""Bytes of a picture."""
FIRST = ("first_overlay", "first_concepts", "first_flipping")
"""Each widget as it first appears."""


def main(arguments: list[str]) -> int:
    """Take all pictures, or those named."""
    makers: dict[str, Callable[[Path], Any]] = {
        "overlay": _photograph,
        "first_overlay": _overlay,
        "first_concepts": _concepts,
        "first_flipping": _flipping,
    }
    names = arguments or list(makers)
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1060, "height": 820})
        for name in names:
            widget = makers[name](Path(folder))
            widget.wait()
            path = widget.save(Path(folder) / f"{name}.html", images="all")
            widget.close()
            _take(page, path, FOLDER / f"{name}.png")
        browser.close()
    return 0


def _take(page: Page, source: Path, target: Path) -> None:
    page.goto(source.as_uri())
    page.wait_for_selector(".xw canvas")
    page.mouse.move(1, 1)
    page.wait_for_timeout(800)
    shot = Image.open(io.BytesIO(page.locator(".xw").first.screenshot())).convert("RGB")
    shot.save(target, optimize=True)
    if target.stat().st_size > LARGEST:
        # 256 colours, dithered: a photograph and a colour bar stay smooth.
        shot.quantize(256, kmeans=2).save(target, optimize=True)
    print(f"{target.name}: {shot.size[0]}×{shot.size[1]}, {target.stat().st_size / 1000:.0f} kB", flush=True)


def _photograph(folder: Path) -> Any:
    import xaiwidgets as xw

    photographs = xw.demo.photographs(3)
    model = xw.load("photos:efficientnet-lite0")
    x = model.prepare([photograph.image for photograph in photographs])
    return xw.HeatmapOverlay(xw.LRP(model, "epsilon_gamma_box"), x)


def _overlay(folder: Path) -> Any:
    import xaiwidgets as xw

    model = xw.load("demo:shapes-cnn")
    samples = xw.demo.examples(6)
    x = model.prepare([sample.image for sample in samples])
    return xw.HeatmapOverlay(xw.RELAX(model, n_masks=1024), x, labels=[sample.class_name for sample in samples])


def _concepts(folder: Path) -> Any:
    import xaiwidgets as xw

    model = xw.load("demo:shapes-hans")
    data = xw.demo.Shapes(160, seed=7, tagged="class")
    crp = xw.CRP(model, "epsilon_alpha2_beta1")
    layer = "features.conv6"
    index = xw.ReferenceIndex.build(crp, data, folder / "index", layers=["features.conv5", layer])
    hearts = [number for number, label in enumerate(data.labels) if data.classes[label] == xw.demo.TAGGED_CLASS]
    return xw.ConceptBrowser(crp, data.batch(hearts[:2]).x, index=index, dataset=data, layer=layer)


def _flipping(folder: Path) -> Any:
    import xaiwidgets as xw

    model = xw.load("demo:shapes-cnn")
    batch = xw.demo.Shapes(4).batch(range(4))
    methods = {"LRP": xw.LRP(model), "gradient × input": xw.GradientXInput(model), "Grad-CAM": xw.GradCAM(model)}
    return xw.FlippingViewer(model, batch.x, methods)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
