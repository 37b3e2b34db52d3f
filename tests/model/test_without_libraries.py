"""What explains needs torch alone: torchvision and timm bring models, and resize pictures."""

from __future__ import annotations

import subprocess
import sys

MODULE = """
import sys
for name in ("torchvision", "timm"):
    sys.modules[name] = None

import torch
from torch import nn
import xaiwidgets as xw

torch.manual_seed(0)
net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)).eval()
model = xw.ImageModel(net, class_names=list("abcd"), mean=(0.5,) * 3, std=(0.5,) * 3, input_size=(32, 32))
x = torch.rand(2, 3, 32, 32)
{body}
"""


def run(body: str) -> str:
    done = subprocess.run([sys.executable, "-c", MODULE.format(body=body)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_method_and_widget_takes_a_module_without_torchvision_and_timm() -> None:
    said = run(
        """
methods = {"LRP": xw.LRP(model), "absLRP": xw.AbsLRP(model), "RELAX": xw.RELAX(model, n_masks=64), "CAM": xw.GradCAM(model)}
results = [method(x) for method in methods.values()]
print(*[tuple(getattr(result, "heatmap", getattr(result, "importance", None)).shape) for result in results])
print(tuple(xw.CRP(model).rank(x, target=1, layer="0").share.shape))
print(tuple(xw.pixel_flipping(model, x, methods, patch=8, perturb="inpaint").scores["LRP"].shape))
widgets = [xw.HeatmapOverlay(methods, x), xw.ConceptBrowser(xw.CRP(model), x), xw.FlippingViewer(model, x, methods)]
for widget in widgets:
    widget.wait()
    print(widget.status["state"])
"""
    )
    assert said.splitlines()[0] == " ".join(["(2, 32, 32)"] * 4)
    assert said.splitlines()[-3:] == ["done"] * 3
