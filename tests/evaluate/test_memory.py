"""Memory of pixel flipping grows neither with steps nor with images, but for the curves themselves."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import resource, sys, torch
torch.set_num_threads(1)
import xaiwidgets as xw
from xaiwidgets.demo import Shapes
from xaiwidgets.evaluate import pixel_flipping

model = xw.load("demo:shapes-cnn")
model.scores(torch.zeros(64, 3, 64, 64))


def peak(images, steps):
    pixel_flipping(
        model, Shapes(images), {"edges": lambda x, target: x.abs().sum(1)}, schedule="linear", steps=steps, patch=4,
        perturb="inpaint", random=1, progress=False,
    )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


first = peak(8, 8)
print(peak(8, 64) - first, peak(64, 8) - first)
"""


def test_memory_is_flat_in_steps_and_images() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    steps, images = (int(number) for number in done.stdout.split())
    # Eight times the frames; all of them at once would take 8 × 64 × 2 × 48 kB = 50 MB, and their features 50 times that.
    assert steps < 30e6, f"{steps / 1e6:.0f} MB more for eight times the steps"
    assert images < 30e6, f"{images / 1e6:.0f} MB more for eight times the images"
