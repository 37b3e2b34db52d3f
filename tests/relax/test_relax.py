"""RELAX and RISE against their formulas, written out mask by mask."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.relax.slow import slow_mask, slow_relax
from xaiwidgets import RELAX, RISE, ImageModel, RelaxResult
from xaiwidgets.relax.masks import random_grids


def some_masks(n: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    return random_grids(n, 4, 0.5, torch.Generator().manual_seed(seed)).draw(size)


def similarities(model: ImageModel, image: Tensor, masks: Tensor, fill: Tensor | float = 0.0) -> Tensor:
    """Cosine to the unmasked image's representation, (n,), one mask at a time."""
    encode = model.encoder(size=(image.shape[1], image.shape[2]))
    own = encode(image[None])[0].double()
    rows = []
    for mask in masks:
        h = encode((image * mask + fill * (1 - mask))[None])[0].double()
        rows.append((h @ own) / (h.norm() * own.norm()))
    return torch.stack(rows)


def close(found: Tensor, expected: Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(found.double(), expected.double(), atol=tolerance, rtol=1e-4)


def test_every_formula(small: ImageModel) -> None:
    masks = some_masks(150, (16, 16))
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    result = RELAX(small, masks=masks, batch_size=37)(images)
    for row, image in enumerate(images):
        s = similarities(small, image, masks)
        slow = slow_relax(s, masks)
        close(result.importance[row], slow.importance)
        close(result.uncertainty[row], slow.uncertainty, 1e-6)
        close(result.standard_error[row], slow.standard_error, 1e-6)
        close(result.mean_similarity[row], s.mean())
        close(result.relative_importance[row], slow.importance - s.mean())
        clear = (result.importance[row] - result.mean_similarity[row]).abs() > 2 * result.standard_error[row]
        assert torch.equal(result.beyond_error()[row], result.relative_importance[row] * clear)
        for quantile in (0.0, 0.1, 0.25, 0.5, 0.9, 1.0):
            own = result.u_relax(quantile)[row]
            close(own, slow.u_relax(quantile))
            assert int(result.sure(quantile)[row].sum()) >= int(quantile * 256)
    assert result.n_masks == result.total == 150
    assert result.final


def test_quantiles_outside_are_refused(small: ImageModel) -> None:
    result = RELAX(small, n_masks=8, cells=2)(torch.rand(1, 3, 16, 16))
    for quantile in (-0.1, 1.5):
        with pytest.raises(ValueError, match=r"quantile=.* must lie in \[0, 1\]"):
            result.u_relax(quantile)


def test_equals_relax_xai_on_the_same_masks(cnn: ImageModel, x: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    from relax_xai import relax as peer

    masks = some_masks(120, (64, 64))
    parts = iter(masks[:, None].split(40))
    monkeypatch.setattr(peer, "mask_generator", lambda *arguments, **options: iter([next(parts)]))

    class Encoder(nn.Module):
        def forward(self, batch: Tensor) -> Tensor:
            return cnn.encoder()(batch)

    theirs = peer.RELAX(x[:1], Encoder(), batch_size=40, num_batches=3)
    theirs()
    ours = RELAX(cnn, masks=masks)(x[:1])
    torch.testing.assert_close(ours.importance[0], theirs.importance, atol=1e-5, rtol=0)
    weight = masks.sum(0).mean()
    torch.testing.assert_close(ours.uncertainty[0], theirs.uncertainty / weight, atol=1e-6, rtol=1e-3)
    # Rounding may move a pixel across the median: all others are equal.
    differs = (ours.u_relax(0.5)[0] - theirs.u_relax).abs() > 1e-5
    assert differs.float().mean() < 0.002


def test_non_square_one_channel_and_many_images() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3))
    model = ImageModel(module.eval(), input_size=(12, 20), channels=1)
    images = torch.rand(5, 1, 14, 23)
    masks = some_masks(30, (14, 23))
    result = RELAX(model, masks=masks)(images)
    assert result.importance.shape == (5, 14, 23)
    for row in range(5):
        close(result.importance[row], slow_relax(similarities(model, images[row], masks), masks).importance)


def test_pooling_and_layers(small: ImageModel) -> None:
    image, masks = torch.randn(3, 16, 16), some_masks(20, (16, 16))
    for layer, pool, dimensions in (("0", "mean", 6), ("0", "flatten", 6 * 256), ("output", None, 5)):
        result = RELAX(small, masks=masks, layer=layer, pool=pool)(image[None])
        encode = small.encoder(layer, pool=pool)  # type: ignore[arg-type]
        own = encode(image[None])
        assert own.shape == (1, dimensions)
        s = torch.stack([F.cosine_similarity(encode((image * mask)[None]), own)[0] for mask in masks])
        close(result.importance[0], slow_relax(s, masks).importance)


def test_layer_is_what_the_module_computes(small: ImageModel) -> None:
    image = torch.randn(2, 3, 16, 16)
    parts = small.module
    with torch.inference_mode():
        # Batch norm is folded into the convolution before it.
        expected = parts[1](parts[0](image)).mean((2, 3))  # type: ignore[index]
        classifier_input = parts[:5](image)  # type: ignore[index]
    close(small.encoder("1", pool="mean")(image), expected)
    close(small.encoder()(image), classifier_input)
    close(small.encoder("output")(image), parts(image))


class TestParts:
    """Every perturbation, similarity and aggregation against a literal version of itself."""

    @pytest.fixture
    def image(self) -> Tensor:
        return (
            torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(2))
            + torch.tensor([1.0, 0, -1])[:, None, None]
        )

    def explained(self, model: ImageModel, image: Tensor, **options: Any) -> RelaxResult:
        return RELAX(model, masks=some_masks(40, (16, 16)), **options)(image[None])

    def check_fill(self, model: ImageModel, image: Tensor, perturb: Any, fill: Tensor | float) -> None:
        masks = some_masks(40, (16, 16))
        expected = slow_relax(similarities(model, image, masks, fill), masks)
        close(self.explained(model, image, perturb=perturb).importance[0], expected.importance)

    def test_zero(self, small: ImageModel, image: Tensor) -> None:
        self.check_fill(small, image, "zero", 0.0)

    def test_mean(self, small: ImageModel, image: Tensor) -> None:
        self.check_fill(small, image, "mean", image.mean((1, 2), keepdim=True))

    def test_blur(self, small: ImageModel, image: Tensor) -> None:
        sigma, radius = 16 / 8, 6
        weights = [2.718281828459045 ** (-(k**2) / (2 * sigma**2)) for k in range(-radius, radius + 1)]
        blurred = torch.zeros_like(image)

        def reflected(index: int) -> int:
            return -index if index < 0 else 30 - index if index > 15 else index

        for dy, dx in itertools.product(range(-radius, radius + 1), repeat=2):
            rows = torch.tensor([reflected(y + dy) for y in range(16)])
            columns = torch.tensor([reflected(c + dx) for c in range(16)])
            share = weights[dy + radius] * weights[dx + radius] / sum(weights) ** 2
            blurred += share * image[:, rows][:, :, columns]
        self.check_fill(small, image, "blur", blurred)

    def test_noise_has_the_images_mean_and_spread_and_is_one_for_all_masks(
        self, small: ImageModel, image: Tensor
    ) -> None:
        from xaiwidgets.relax.parts import fill_noise

        fill = fill_noise(image[None].expand(1, 3, 16, 16), torch.Generator().manual_seed(0))[0]
        large = fill_noise(image.repeat(1, 12, 12)[None], torch.Generator().manual_seed(0))[0]
        torch.testing.assert_close(large.mean((1, 2)), image.mean((1, 2)), atol=0.03, rtol=0)
        torch.testing.assert_close(large.std((1, 2)), image.std((1, 2)), atol=0.03, rtol=0)
        self.check_fill(small, image, lambda picture, generator: fill[None], fill)
        first = self.explained(small, image, perturb="noise", seed=1).importance
        assert torch.equal(first, self.explained(small, image, perturb="noise", seed=1).importance)
        assert not torch.allclose(first, self.explained(small, image, perturb="noise", seed=2).importance)

    @pytest.mark.parametrize("shape", [(), (1, 3, 1, 1), (1, 3, 16, 16), (3, 16, 16)])
    def test_own_fill_of_every_shape_that_broadcasts(
        self, small: ImageModel, image: Tensor, shape: tuple[int, ...]
    ) -> None:
        fill = torch.randn(shape, generator=torch.Generator().manual_seed(3)) + 1
        self.check_fill(small, image, lambda picture, generator: fill, fill if fill.ndim < 4 else fill[0])

    def test_fill_that_does_not_fit(self, small: ImageModel, image: Tensor) -> None:
        with pytest.raises(ValueError, match=r"perturb gives shape \(7,\) .* return what broadcasts"):
            self.explained(small, image, perturb=lambda picture, generator: torch.zeros(7))

    @pytest.mark.parametrize("name", ["cosine", "dot", "l2"])
    def test_similarities(self, small: ImageModel, image: Tensor, name: str) -> None:
        masks = some_masks(40, (16, 16))
        encode = small.encoder()
        own = encode(image[None])[0].double()
        s = []
        for mask in masks:
            h = encode((image * mask)[None])[0].double()
            value = {
                "cosine": (h * own).sum() / ((h**2).sum() ** 0.5 * (own**2).sum() ** 0.5),
                "dot": (h * own).sum(),
                "l2": -(((h - own) ** 2).sum() ** 0.5),
            }[name]
            s.append(value)
        slow = slow_relax(torch.stack(s), masks)
        found = self.explained(small, image, similarity=name)
        close(found.importance[0], slow.importance)
        close(found.uncertainty[0], slow.uncertainty)
        close(found.standard_error[0], slow.standard_error)

    def test_own_similarity(self, small: ImageModel, image: Tensor) -> None:
        found = self.explained(small, image, similarity=lambda h, reference: h @ reference)
        close(found.importance, self.explained(small, image, similarity="dot").importance)
        with pytest.raises(
            ValueError, match=r"similarity gives \(40, 1\) for 40 masked images; return one number each"
        ):
            self.explained(small, image, similarity=lambda h, reference: (h @ reference)[:, None])
        with pytest.raises(ValueError, match="similarity of a masked image is NaN"):
            self.explained(small, image, similarity=lambda h, reference: h[:, 0] / 0)

    def test_aggregates(self, small: ImageModel, image: Tensor) -> None:
        masks = some_masks(40, (16, 16))
        s = similarities(small, image, masks)
        weighted = sum(value * mask.double() for value, mask in zip(s, masks, strict=True))
        assert isinstance(weighted, Tensor)
        weight = masks.double().sum(0)
        for name, expected in {"mean": weighted / weight, "sum": weighted, "expected": weighted / (40 * 0.3)}.items():
            found = self.explained(small, image, aggregate=name, keep=0.3)
            close(found.importance[0], expected)
            # The error scales with the estimate.
            close(found.standard_error[0], slow_relax(s, masks).standard_error * (expected / (weighted / weight)))
        own = self.explained(small, image, aggregate=lambda weighted, weight, count, keep: weighted / count)
        close(own.importance[0], weighted / 40)


class TestReference:
    def test_another_image(self, cnn: ImageModel, x: Tensor) -> None:
        masks = some_masks(25, (64, 64))
        encode = cnn.encoder()
        result = RELAX(cnn, masks=masks)(x[:2], reference=x[2:])
        own = encode(x[2:])
        for row in range(2):
            s = torch.stack([F.cosine_similarity(encode((x[row] * mask)[None]), own)[0] for mask in masks])
            close(result.importance[row], slow_relax(s, masks).importance)
        as_vector = RELAX(cnn, masks=masks)(x[:2], reference=own[0])
        close(as_vector.importance, result.importance)
        as_array = RELAX(cnn, masks=masks)(x[:2], reference=own[0].numpy())
        close(as_array.importance, result.importance)
        close(RELAX(cnn, masks=masks)(x[:2], reference=x[2]).importance, result.importance)

    def test_one_each(self, cnn: ImageModel, x: Tensor) -> None:
        relax = RELAX(cnn, masks=some_masks(10, (64, 64)))
        together = relax(x[:2], reference=x[1:])
        for row in range(2):
            close(relax(x[row : row + 1], reference=x[row + 1]).importance[0], together.importance[row])
        vectors = cnn.encoder()(x[1:])
        close(relax(x[:2], reference=vectors).importance, together.importance)
        close(relax(x, reference=x).importance, relax(x).importance)

    def test_what_does_not_fit(self, cnn: ImageModel, x: Tensor) -> None:
        relax = RELAX(cnn, n_masks=8, cells=2)
        with pytest.raises(ValueError, match=r"reference gives \(1, 63\); give an image, or a vector \(64,\)"):
            relax(x, reference=torch.zeros(63))
        with pytest.raises(ValueError, match="or one for each of the 3 images"):
            relax(x, reference=torch.zeros(2, 64))
        with pytest.raises(ValueError, match="reference has NaN or infinite values"):
            relax(x, reference=torch.full((64,), torch.nan))
        with pytest.raises(ValueError, match="reference has 1 channels"):
            relax(x, reference=x[:, :1])
        with pytest.raises(TypeError, match="reference is str; give images"):
            relax(x, reference="cat.jpg")


class TestRISE:
    @pytest.mark.parametrize("score", ["probability", "logit"])
    def test_literally(self, small: ImageModel, score: str) -> None:
        images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(5))
        masks = some_masks(60, (16, 16))
        found = RISE(small, masks=masks, score=score, aggregate="expected")(images, [3, 1])
        for row, target in enumerate([3, 1]):
            total = torch.zeros(16, 16, dtype=torch.float64)
            for mask in masks:
                with torch.inference_mode():
                    out = small.module((images[row] * mask)[None])[0].double()
                total += (out.softmax(0) if score == "probability" else out)[target] * mask
            close(found.importance[row], total / (60 * 0.5))

    def test_targets(self, small: ImageModel) -> None:
        images = torch.randn(3, 3, 16, 16)
        rise = RISE(small, n_masks=16, cells=2)
        predicted = small.scores(images).argmax(1)
        close(rise(images).importance, rise(images, predicted).importance)
        assert rise(images).provenance.method == "RISE"
        with pytest.raises(ValueError, match="score='odds' is not known; choose from 'probability', 'logit'"):
            RISE(small, score="odds")

    def test_takes_no_parameters_of_the_representation(self, small: ImageModel) -> None:
        with pytest.raises(TypeError, match="RISE takes no keyword 'similarity'"):
            RISE(small, similarity="dot")


class TestGivenMasks:
    def test_function(self, small: ImageModel) -> None:
        asked = []

        def make(n: int, size: tuple[int, int], generator: torch.Generator) -> Tensor:
            asked.append((n, size))
            return (torch.rand(n, *size, generator=generator) < 0.5).float()

        image = torch.randn(1, 3, 16, 16)
        result = RELAX(small, masks=make, n_masks=200, seed=7)(image)
        assert sum(n for n, _ in asked) == 200 == result.n_masks
        assert {size for _, size in asked} == {(16, 16)}
        generator = torch.Generator().manual_seed(7)
        masks = torch.cat([make(n, (16, 16), generator) for n in [n for n, _ in asked]])
        close(result.importance[0], slow_relax(similarities(small, image[0], masks), masks).importance)

    def test_what_does_not_fit(self, small: ImageModel) -> None:
        image = torch.randn(1, 3, 16, 16)
        for masks in (torch.rand(3, 8, 8), torch.rand(0, 16, 16), torch.rand(16, 16)):
            with pytest.raises(ValueError, match=r"masks has shape .*; give \(n, 16, 16\)"):
                RELAX(small, masks=masks)(image)
        for masks in (torch.rand(3, 16, 16) + 1, -torch.rand(3, 16, 16), torch.full((2, 16, 16), torch.nan)):
            with pytest.raises(ValueError, match=r"masks must lie in \[0, 1\]"):
                RELAX(small, masks=masks)(image)

    def test_arrays_are_masks(self, small: ImageModel) -> None:
        image, masks = torch.randn(1, 3, 16, 16), some_masks(6, (16, 16))
        expected = RELAX(small, masks=masks)(image).importance
        close(RELAX(small, masks=masks.numpy())(image).importance, expected)
        close(RELAX(small, masks=lambda n, size, generator: masks.numpy(), n_masks=6)(image).importance, expected)
        with pytest.raises(TypeError, match="masks gives str; return a tensor or an array"):
            RELAX(small, masks=lambda n, size, generator: "masks")(image)

    def test_channel_of_one_is_fine(self, small: ImageModel) -> None:
        image, masks = torch.randn(1, 3, 16, 16), some_masks(6, (16, 16))
        close(RELAX(small, masks=masks[:, None])(image).importance, RELAX(small, masks=masks)(image).importance)

    def test_a_pixel_that_no_mask_shows(self, small: ImageModel) -> None:
        masks = some_masks(20, (16, 16))
        masks[:, :4] = 0
        result = RELAX(small, masks=masks)(torch.randn(1, 3, 16, 16))
        for values in (result.importance, result.uncertainty, result.standard_error):
            assert torch.isfinite(values).all()


def test_designs_by_name_draw_the_masks_they_say(small: ImageModel) -> None:
    """The explainer's own masks are those of the designs, for one seed."""
    image = torch.randn(1, 3, 16, 16)
    for design, keep in (("balanced", 0.5), ("random", 0.3)):
        own = RELAX(small, n_masks=64, cells=3, masks=design, keep=keep, seed=4)
        generator = torch.Generator().manual_seed(4)
        drawn = [block.draw((16, 16), 0, len(block)) for block in own._blocks(64, (16, 16), generator)]
        assert sum(map(len, drawn)) == 64
        close(own(image).importance, RELAX(small, masks=torch.cat(drawn))(image).importance)


def test_float64_safe_sums_of_narrow_similarities(small: ImageModel) -> None:
    """Similarities that differ in the sixth digit: differences of sums must keep their variance."""
    image, masks = torch.randn(1, 3, 16, 16), some_masks(300, (16, 16))
    values = 1 + 1e-4 * torch.randn(300, generator=torch.Generator().manual_seed(0))
    served = iter(values.split(50))
    result = RELAX(small, masks=masks, batch_size=50, similarity=lambda h, reference: next(served))(image)
    slow = slow_relax(values, masks)
    torch.testing.assert_close(result.uncertainty[0].double(), slow.uncertainty, rtol=2e-3, atol=0)
    torch.testing.assert_close(result.standard_error[0].double(), slow.standard_error, rtol=2e-3, atol=0)


def test_bfloat16_is_close_and_gives_float32(cnn: ImageModel, x: Tensor) -> None:
    masks = some_masks(60, (64, 64))
    exact = RELAX(cnn, masks=masks)(x[:1])
    rough = RELAX(cnn, masks=masks, precision="bfloat16")(x[:1])
    assert rough.importance.dtype == torch.float32
    assert not torch.equal(rough.importance, exact.importance)
    assert (rough.importance - exact.importance).abs().max() < 0.02
    stacked = torch.stack([rough.importance.flatten(), exact.importance.flatten()])
    assert torch.corrcoef(stacked)[0, 1] > 0.98


def test_slow_mask_is_a_mask() -> None:
    mask = slow_mask(torch.ones(7, 7), (20, 20), (3, 3))
    torch.testing.assert_close(mask, torch.ones(20, 20))
