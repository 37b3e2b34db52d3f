"""The table of accelerators in its small setting, so that it cannot rot; and where there is one, what must hold on it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.benchmarks import gpu
from xaiwidgets import LRP, RELAX, ImageModel, load, pixel_flipping

WORKS = ["forward + gradient", "LRP", "absLRP", "CRP, 8 concepts", "Grad-CAM", "RELAX, 128 masks", "RISE, 128 masks"]


def test_the_small_table_on_the_cpu(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gpu.main(small=True)
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if "shapes-cnn" in line]
    assert [row[0].removeprefix("| ") for row in rows] == [*WORKS, "pixel flipping", "GAE"]
    for row in rows:
        assert float(row[2]) > 0
        assert row[3:5] == ["–", "–"]
        # The CPU beside itself: another copy of the model, and the same to the bit.
        assert float(row[5].removesuffix(" |")) == 0


@pytest.fixture
def there() -> ImageModel:
    return ImageModel(load("demo:shapes-cnn", device="cpu").module.to("cuda"), input_size=64, name="shapes-cnn")


@pytest.mark.gpu
def test_the_same_numbers_on_the_device() -> None:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    for line in gpu.lines(torch.device("cuda"), small=True):
        assert line.error < 2e-3, line
        assert line.gib is not None


@pytest.mark.gpu
def test_waits_do_not_grow_with_layers_or_masks(there: ImageModel) -> None:
    x = torch.randn(4, 3, 64, 64, device="cuda")
    lrp = LRP(there)
    lrp(x, [0, 1, 2, 0])
    # The images' range, the output, the relevance at the input, and the account in one go: not one a layer.
    assert gpu.waits_in(lambda: lrp(x, [0, 1, 2, 0])) <= 16

    def masked(count: int) -> int:
        relax = RELAX(there, n_masks=count, batch_size=64)
        relax(x[:1], progress=False)
        return gpu.waits_in(lambda: relax(x[:1], progress=False))

    # One look a batch for similarities that are not finite, and a block's few numbers on their way there.
    batches = (1024 - 256) // 64
    assert masked(1024) - masked(256) <= 3 * batches


@pytest.mark.gpu
def test_flipping_waits_for_scores_alone(there: ImageModel) -> None:
    x = torch.randn(2, 3, 64, 64, device="cuda")
    options: dict[str, Any] = {"random": 0, "progress": False, "target": [0, 1], "batch_size": 8}

    def flips(steps: int) -> int:
        run = lambda: pixel_flipping(there, x, {"e": x.square().sum(1)}, schedule="linear", steps=steps, **options)  # noqa: E731
        run()
        return gpu.waits_in(run)

    # A batch of frames goes there and its scores come back; the frames themselves are made there.
    assert flips(32) - flips(16) <= 8 * (2 * 16 // 8)
