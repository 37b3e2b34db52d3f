"""The images of all widgets: what the model says of each is told once, small pictures of all follow, pages hold what they step through."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.widgets.conftest import Recorder, made_and_closed, until
from xaiwidgets import CRP, LRP, ConceptBrowser, FlippingViewer, GradientXInput, HeatmapOverlay, ImageModel

KINDS: dict[str, type[Any]] = {
    kind.__name__: type(f"Recorded{kind.__name__}", (Recorder, kind), {})
    for kind in (HeatmapOverlay, ConceptBrowser, FlippingViewer)
}
LABELS = [1, 1, 3]


@pytest.fixture(params=list(KINDS))
def widget(request: pytest.FixtureRequest, cnn: ImageModel, x: Tensor) -> Iterator[Recorder]:
    """Each widget over three images with labels."""
    arguments: dict[str, Callable[[], Recorder]] = {
        "HeatmapOverlay": lambda: KINDS["HeatmapOverlay"](LRP(cnn), x, labels=LABELS),
        "ConceptBrowser": lambda: KINDS["ConceptBrowser"](CRP(cnn), x, labels=LABELS),
        "FlippingViewer": lambda: KINDS["FlippingViewer"](
            cnn, (x, torch.tensor(LABELS)), {"a": GradientXInput(cnn)}, patch=16
        ),
    }
    made = made_and_closed(arguments[request.param])
    yield next(made)()
    next(made, None)


def content_of(path: Path) -> dict[str, Any]:
    found = re.search(r'id="content">(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    content: dict[str, Any] = json.loads(found[1])
    return content


def test_what_the_model_says_is_told_once_and_of_all(widget: Recorder, cnn: ImageModel, x: Tensor) -> None:
    assert widget.wait(60)
    until(lambda: len(widget.of("album")) == 1)
    predicted = cnn.predict(x).probabilities
    [said] = widget.of("prediction")
    assert (said["image"], said["label"], said["kind"]) == (0, 1, "probability")
    [page] = widget.of("album")
    assert page["classes"] == predicted.argmax(1).tolist()
    assert page["labels"] == LABELS
    assert page["shares"] == pytest.approx(predicted.amax(1).tolist(), abs=1e-4)
    widget.image = 2
    widget.hear(type="ask", id=1, want={"kind": "focus", "image": 2, "target": None, "against": None})
    until(lambda: [entry["image"] for entry in widget.of("prediction")] == [0, 2])
    assert widget.wait(60)
    assert len(widget.of("album")) == 1
    # A view that opens now has heard none of it.
    widget.sent.clear()
    widget.hear(type="ready")
    assert [entry["image"] for entry in widget.of("prediction")] == [0, 2]
    assert len(widget.of("album")) == 1


def test_a_page_holds_what_it_steps_through(widget: Recorder, tmp_path: Path) -> None:
    assert widget.wait(60)
    shown = "focus" if isinstance(widget, ConceptBrowser) else "picture"

    def images(content: dict[str, Any], kind: str) -> list[int]:
        found = [message["content"] for message in content["messages"] if message["content"]["type"] == kind]
        return sorted(entry.get("want", entry)["image"] for entry in found)

    one = content_of(widget.save(tmp_path / "one.html"))
    assert images(one, "prediction") == images(one, shown) == [0]
    assert not [message for message in one["messages"] if message["content"]["type"] == "album"]
    every = content_of(widget.save(tmp_path / "all.html", images="all"))
    assert images(every, "prediction") == images(every, shown) == [0, 1, 2]
    assert len([message for message in every["messages"] if message["content"]["type"] == "album"]) == 1
    texts = [json.dumps(message, sort_keys=True) for message in every["messages"]]
    assert len(set(texts)) == len(texts), "nothing is there twice"
    if isinstance(widget, ConceptBrowser):
        for kind in ("ranking", "heatmap", "graph"):
            assert images(every, kind) == [0, 1, 2]
        tiles = [message["content"] for message in every["messages"] if message["content"]["type"] == "tiles"]
        assert sorted(entry["want"]["image"] for entry in tiles) == [0, 1, 2]
    if isinstance(widget, FlippingViewer):
        assert set(images(every, "frame")) == {0, 1, 2}
    # Nothing runs in a page, whatever still ran when it was written.
    running: dict[str, Any] = {"state": "running", "done": 1, "total": 2}
    widget.status = running
    assert content_of(widget.save(tmp_path / "one.html"))["state"]["status"]["state"] in ("idle", "done")
