"""What every explainer promises. A test class inherits this and says how to make the explainer:

class TestMine(ExplainerContract):
    def explainer(self, model: ImageModel) -> Any:
        return Mine(model, steps=8)
"""

from __future__ import annotations

import copy
import inspect
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, fields
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from xaiwidgets import ImageModel
from xaiwidgets.results import Provenance, Result


class ExplainerContract:
    """Inherit, and define :meth:`explainer`."""

    takes_targets: ClassVar[bool] = True
    """False for methods that explain a representation: they ignore the target."""
    tolerance: ClassVar[float] = 1e-5
    """Largest difference between a batch and its images one by one, relative to the largest value."""

    def explainer(self, model: ImageModel) -> Any:
        """A quick configuration of the explainer under test."""
        raise AssertionError("define explainer(model)")

    @pytest.fixture
    def images(self) -> Tensor:
        """Three images (3, 3, 16, 16)."""
        return torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(4))

    # -- what comes out --------------------------------------------------------------------------------------------

    def test_one_finite_map_an_image(self, small: ImageModel, images: Tensor) -> None:
        result = self.explainer(small)(images)
        assert isinstance(result, Result)
        assert result.heatmap.shape == (3, 16, 16)
        assert result.heatmap.dtype == torch.float32
        assert result.heatmap.device == images.device
        assert torch.isfinite(result.heatmap).all()
        assert result.heatmap.flatten(1).std(dim=1).min() > 0

    def test_batch_equals_one_by_one(self, small: ImageModel, images: Tensor) -> None:
        explain = self.explainer(small)
        together = explain(images).heatmap
        for row in range(3):
            assert_close(explain(images[row : row + 1]).heatmap[0], together[row], self.tolerance)

    def test_rows_answer_their_images(self, small: ImageModel, images: Tensor) -> None:
        explain = self.explainer(small)
        order = [2, 0, 1]
        assert_close(explain(images[order]).heatmap, explain(images).heatmap[order], self.tolerance)

    def test_rows_answer_their_targets(self, small: ImageModel, images: Tensor) -> None:
        explain = self.explainer(small)
        each = explain(images, [4, 0, 2]).heatmap
        for row, target in enumerate([4, 0, 2]):
            assert_close(explain(images, target).heatmap[row], each[row], self.tolerance)
        if self.takes_targets:
            assert not torch.allclose(explain(images, 0).heatmap, explain(images, 1).heatmap)
            predicted = small.scores(images).argmax(1).tolist()
            assert_close(explain(images, predicted).heatmap, explain(images).heatmap, self.tolerance)
        else:
            assert torch.equal(explain(images, 0).heatmap, explain(images).heatmap)

    def test_two_calls_and_two_explainers_agree(self, small: ImageModel, images: Tensor) -> None:
        explain = self.explainer(small)
        first = explain(images).heatmap
        torch.manual_seed(123)
        assert torch.equal(explain(images).heatmap, first)
        assert torch.equal(self.explainer(small)(images).heatmap, first)

    def test_the_callers_random_numbers_are_left_alone(self, small: ImageModel, images: Tensor) -> None:
        explain = self.explainer(small)
        explain(images)
        before = torch.get_rng_state()
        explain(images)
        assert torch.equal(torch.get_rng_state(), before)

    def test_no_autograd_graph_in_a_result(self, small: ImageModel, images: Tensor) -> None:
        wanted = images.clone().requires_grad_()
        with torch.enable_grad():
            result = self.explainer(small)(wanted)
        assert wanted.grad is None
        for value in tensors(result):
            assert not value.requires_grad
            assert value.grad_fn is None

    def test_results_are_frozen_and_say_where_they_come_from(self, small: ImageModel, images: Tensor) -> None:
        explain = self.explainer(small)
        result = explain(images)
        with pytest.raises(FrozenInstanceError):
            result.provenance = None
        provenance = result.provenance
        assert isinstance(provenance, Provenance)
        assert provenance.method
        assert provenance.method in str(provenance)
        assert provenance.model == small.name
        assert isinstance(provenance.parameters, dict)
        assert all(not isinstance(value, Tensor | nn.Module) for value in provenance.parameters.values())
        assert not any(isinstance(value, nn.Module | ImageModel) for value in vars(result).values())

    def test_other_sizes_and_shapes(self) -> None:
        wide = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        torch.manual_seed(0)
        module = nn.Sequential(*wide, nn.Linear(4, 3)).eval()
        grey = ImageModel(module, input_size=(12, 20), channels=1)
        result = self.explainer(grey)(torch.randn(2, 1, 12, 20, generator=torch.Generator().manual_seed(0)))
        assert result.heatmap.shape == (2, 12, 20)

    def test_it_travels(self, small: ImageModel, images: Tensor) -> None:
        """By pickle and as a copy, before and after it was used."""
        explain = self.explainer(small)
        if inspect.isfunction(explain):
            pytest.skip("a function within a test")
        again = pickle.loads(pickle.dumps(explain))
        expected = explain(images).heatmap
        for other in (again, pickle.loads(pickle.dumps(explain)), copy.deepcopy(explain)):
            assert_close(other(images).heatmap, expected, 1e-6)

    def test_input_is_left_alone(self, small: ImageModel, images: Tensor) -> None:
        before = images.clone()
        self.explainer(small)(images)
        assert torch.equal(images, before)

    # -- the module ------------------------------------------------------------------------------------------------

    def test_module_is_left_alone(self, small: ImageModel, images: Tensor) -> None:
        with untouched(small.module):
            self.explainer(small)(images)

    def test_module_with_mixed_modes_and_frozen_parts_is_left_alone(self, tiny: ImageModel, images: Tensor) -> None:
        tiny.module[0].weight.requires_grad_(False)  # type: ignore[index]
        tiny.module[1].train()  # type: ignore[index]
        with untouched(tiny.module):
            self.explainer(tiny)(images)

    def test_module_is_left_alone_after_an_exception(self, small: ImageModel, images: Tensor) -> None:
        explain = self.explainer(small)
        bad = images.clone()
        bad[1, 0, 3, 3] = torch.nan
        with untouched(small.module), pytest.raises(ValueError, match=r"\[1\].*NaN"):
            explain(bad)

    def test_module_is_left_alone_by_two_threads(self, small: ImageModel, images: Tensor) -> None:
        explain = self.explainer(small)
        expected = explain(images).heatmap
        found: list[Any] = []

        def run() -> None:
            try:
                found.append(explain(images).heatmap)
            except Exception as error:
                found.append(error)

        with untouched(small.module):
            threads = [threading.Thread(target=run) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(found) == 2
        for heatmap in found:
            assert isinstance(heatmap, Tensor), heatmap
            assert_close(heatmap, expected, self.tolerance)

    # -- what does not fit -----------------------------------------------------------------------------------------

    def test_wrong_images(self, small: ImageModel, images: Tensor) -> None:
        explain = self.explainer(small)
        with pytest.raises(ValueError, match=r"x has 1 channels, Sequential takes 3; give \(N, 3, H, W\)"):
            explain(images[:, :1])
        with pytest.raises(ValueError, match="no image in it; give at least one"):
            explain(images[:0])
        with pytest.raises(TypeError, match="x is str; give a tensor"):
            explain("cat.jpg")

    def test_wrong_targets(self, small: ImageModel, images: Tensor) -> None:
        if not self.takes_targets:
            return
        explain = self.explainer(small)
        with pytest.raises(ValueError, match="target=5 is not a class of Sequential; give 0 to 4"):
            explain(images, 5)
        with pytest.raises(ValueError, match="target has 2 classes for 3 images"):
            explain(images, [0, 1])


def assert_close(found: Tensor, expected: Tensor, tolerance: float) -> None:
    """Equal up to ``tolerance`` of the largest value."""
    assert found.shape == expected.shape
    largest = float(expected.abs().max())
    worst = float((found - expected).abs().max())
    assert worst <= tolerance * largest, f"off by {worst:.3g} with values up to {largest:.3g}"


def tensors(result: Any) -> Iterator[Tensor]:
    """Every tensor in a result, also those by name."""
    for entry in fields(result):
        value = getattr(result, entry.name)
        if isinstance(value, Tensor):
            yield value
        elif hasattr(value, "values"):
            yield from (inner for inner in value.values() if isinstance(inner, Tensor))


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Fails when anything of the module differs afterwards: values to the bit, gradients, modes, hooks, attributes."""
    before = _everything(module)
    versions = [entry._version for entry in (*module.parameters(), *module.buffers())]
    yield
    after = _everything(module)
    assert before.keys() == after.keys()
    for name, value in before.items():
        same = torch.equal(value, after[name]) if isinstance(value, Tensor) else value == after[name]
        assert same, f"{name} was {value} and is {after[name]}"
    assert versions == [entry._version for entry in (*module.parameters(), *module.buffers())]


def _everything(module: nn.Module) -> dict[str, Any]:
    state: dict[str, Any] = {f"value {name}": value.clone() for name, value in module.state_dict().items()}
    for name, parameter in module.named_parameters():
        state[f"requires_grad {name}"] = parameter.requires_grad
        state[f"grad {name}"] = parameter.grad
        state[f"id {name}"] = id(parameter)
    for name, part in module.named_modules():
        state[f"training {name}"] = part.training
        state[f"attributes {name}"] = sorted(vars(part))
        state[f"hooks {name}"] = {key: len(value) for key, value in vars(part).items() if "hooks" in key and value}
        state[f"forward {name}"] = part.forward.__func__ if hasattr(part.forward, "__func__") else None
    return state
