"""Models that see other than grey or colour pictures."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from xaiwidgets import CRP, ConceptBrowser, HeatmapOverlay, ImageModel
from xaiwidgets.widgets.base import Widget


@pytest.fixture(params=[1, 2, 4, 5])
def model(request: pytest.FixtureRequest) -> ImageModel:
    channels = request.param
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 3)
    )
    return ImageModel(module.eval(), input_size=(32, 32), channels=channels)


@pytest.mark.parametrize("kind", [HeatmapOverlay, ConceptBrowser])
def test_widgets_show_and_save_them(model: ImageModel, kind: Callable[..., Widget], tmp_path: Path) -> None:
    w = kind(CRP(model), torch.rand(2, model.channels, 32, 32))
    assert w.wait(60)
    assert w.status["state"] == "done"
    data, _ = w._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    page = w.save(tmp_path / "a.html").read_text(encoding="utf-8")
    content = re.search(r'id="content">(.*?)</script>', page)
    assert content
    messages = [message["content"] for message in json.loads(content[1])["messages"]]
    shapes = [said["shape"] for said in messages if said["type"] in {"picture", "focus"}]
    assert shapes
    assert all(shape == [32, 32, 1] for shape in shapes)
    w.close()
