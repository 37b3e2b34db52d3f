"""The table of accelerators in its small setting, so that it cannot rot; and where there is one, what must hold on it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.benchmarks import gpu
from xaiwidgets import LRP, RELAX, ImageModel, load, pixel_flipping

WORKS = [
    "forward + gradient", "LRP", "LRP, TF32", "LRP, bfloat16", "absLRP", "CRP, 8 concepts", "Grad-CAM", "gradient × input",
    "RELAX, 128 masks", "RELAX, 128 masks, bfloat16", "RISE, 128 masks", "pixel flipping", "GAE",
]  # fmt: skip


def test_the_small_table_on_the_cpu(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    flags = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    gpu.main(small=True)
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == flags
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if "shapes-cnn" in line]
    assert [row[0].removeprefix("| ") for row in rows] == WORKS
    for row in rows:
        assert float(row[2]) > 0
        assert row[3:5] == ["–", "–"]
        # The CPU beside itself: another copy of the model, and the same to the bit, but where bits are left out.
        rounded = "bfloat16" in row[0]
        assert 0 < float(row[5]) < gpu.ROUNDED if rounded else float(row[5]) == 0
        alike = row[6].removesuffix(" |")
        assert alike == "–" if "GAE" in row[0] else float(alike) > 0.99


@pytest.fixture
def there() -> ImageModel:
    return ImageModel(load("demo:shapes-cnn", device="cpu").module.to("cuda"), input_size=64, name="shapes-cnn")


@pytest.mark.gpu
def test_the_same_numbers_on_the_device() -> None:
    for line in gpu.lines(torch.device("cuda"), gpu.waits_in, small=True):
        assert line.error < line.bound, line
        assert line.gib is not None
        assert line.waits is not None


@pytest.mark.gpu
def test_waits_do_not_grow_with_layers_or_masks(there: ImageModel) -> None:
    x = torch.randn(4, 3, 64, 64, device="cuda")
    lrp = LRP(there)
    lrp(x, [0, 1, 2, 0])
    # The images' range, the weights, NaN among the answers, and the account in one go: not one a layer (`tests/standin`).
    assert gpu.waits_in(lambda: lrp(x, [0, 1, 2, 0])) <= 4

    def masked(count: int) -> int:
        relax = RELAX(there, n_masks=count, batch_size=64)
        relax(x[:1], progress=False)
        return gpu.waits_in(lambda: relax(x[:1], progress=False))

    # One look a batch for similarities that are not finite.
    assert masked(1024) - masked(256) <= (1024 - 256) // 64


@pytest.mark.gpu
def test_flipping_waits_for_scores_alone(there: ImageModel) -> None:
    x = torch.randn(2, 3, 64, 64, device="cuda")
    options: dict[str, Any] = {"random": 0, "progress": False, "target": [0, 1], "batch_size": 8}

    def flips(steps: int) -> int:
        run = lambda: pixel_flipping(there, x, {"e": x.square().sum(1)}, schedule="linear", steps=steps, **options)  # noqa: E731
        run()
        return gpu.waits_in(run)

    # The scores of a batch of frames come back; the frames themselves are made there.
    assert flips(32) - flips(16) <= 2 * 16 // 8
