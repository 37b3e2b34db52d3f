"""Training: a short run works end to end, repeats itself, and never leaves half a file."""

from pathlib import Path

import pytest
import torch

from xaiwidgets.demo import train as training
from xaiwidgets.demo.models import demo_names, load_demo
from xaiwidgets.demo.shapes import Shapes


@pytest.mark.parametrize("name", demo_names())
def test_a_short_run_repeats_itself(name: str) -> None:
    if name == "shapes-vit" and not hasattr(torch.optim, "Muon"):
        with pytest.raises(ImportError, match=r"has no Muon.*take torch 2\.9"):
            training.train(name, seed=7, images=128, progress=False)
        return
    first, record = training.train(name, seed=7, images=128, progress=False)
    second, _ = training.train(name, seed=7, images=128, progress=False)
    other, _ = training.train(name, seed=8, images=128, progress=False)
    assert record["images"] == 128 * len(training.RECIPES[name])
    assert not first.training
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_the_command_writes_weights_that_load(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = training.evaluate
    monkeypatch.setattr(training, "evaluate", lambda module: quick(module, images=40))
    threads = torch.get_num_threads()
    arguments = ["--model", "shapes-cnn", "--out", str(tmp_path), "--images", "128", "--threads", str(threads)]
    assert training.main(arguments) == 0
    assert "shapes-cnn" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["shapes-cnn.safetensors"]
    module, spec = load_demo("shapes-cnn", tmp_path)
    assert spec.training["images"] == 128
    with torch.inference_mode():
        assert module(Shapes(2).batch([0, 1]).x).shape == (2, 8)


def test_a_stopped_run_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "shapes-cnn.safetensors"
    old.write_bytes(b"old")

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "save_file", stopped)
    monkeypatch.setattr(training, "evaluate", lambda module: {"clean": 0.0})
    arguments = ["--model", "shapes-cnn", "--out", str(tmp_path), "--images", "128"]
    assert training.main([*arguments, "--threads", str(torch.get_num_threads())]) == 130
    assert old.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [old]


def test_covered_pictures_say_less_the_more_of_the_object_is_hidden() -> None:
    batch = Shapes(16, split="train").batch(range(16))
    x, target = training._cover(batch, 1.0, torch.Generator().manual_seed(0))
    assert torch.allclose(target.sum(1), torch.ones(16))
    assert (x == 0).float().mean() > 0.03
    best = target.max(1).values
    hidden = ((x - batch.x).abs().sum(1) * batch.masks).sum((1, 2)) / batch.masks.sum((1, 2))
    assert torch.corrcoef(torch.stack([best, hidden]))[0, 1] < -0.5
    untouched, certain = training._cover(batch, 0.0, torch.Generator().manual_seed(0))
    assert torch.equal(untouched, batch.x)
    assert certain.max(1).values.eq(1).all()


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="images=64 is too few"):
        training.train("shapes-cnn", images=64, progress=False)
    with pytest.raises(SystemExit):
        training.main(["--model", "nothing"])
