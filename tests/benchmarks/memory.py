"""Peak memory, each case in a process of its own: LRP beside the plain model's forward and gradient, and a batch of 64."""

from __future__ import annotations

import resource
import subprocess
import sys

CASES = {
    "ResNet-18, 1 image": ("resnet18", 1),
    "VGG-16, 1 image": ("vgg16", 1),
    "ResNet-50, 1 image": ("resnet50", 1),
    "ResNet-50, 16 images": ("resnet50", 16),
    "ResNet-50, 64 images": ("resnet50", 64),
}
LARGEST = 8.0  # GiB a batch of 64 may take


def main() -> None:
    """Print the table."""
    print("| | forward + gradient, GiB | LRP, GiB | times |\n|---|---|---|---|")
    for title, (name, images) in CASES.items():
        plain, lrp = (peak(way, name, images) for way in ("gradient", "lrp"))
        print(f"| {title} | {plain:.2f} | {lrp:.2f} | {lrp / plain:.2f} |", flush=True)


def peak(way: str, name: str, images: int) -> float:
    """The largest resident size of a fresh process that explains some images, in GiB."""
    command = [sys.executable, "-m", "tests.benchmarks.memory", way, name, str(images)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def work(way: str, name: str, images: int) -> float:
    """In the fresh process: explain, and tell the peak."""
    import torch
    import torchvision

    from tests.benchmarks.lrp import gradient
    from xaiwidgets.lrp import LRP

    module, x = torchvision.models.get_model(name, weights=None).eval(), torch.randn(images, 3, 224, 224)
    if way == "lrp":
        LRP(module)(x)
    else:
        gradient(module, x)()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    print(work(sys.argv[1], sys.argv[2], int(sys.argv[3])))
