"""The formulas of GAE, each a small function (doi 10.1145/3649458, sections 4.1 to 4.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from xaiwidgets.model import ImageModel

EPSILON = 1e-9


@dataclass(frozen=True)
class Masked:
    """The images of the step-wise masking, for MoRF and LeRF: S steps of which the first shows the untouched image.

    Attributes:
        x: (2, S, n, C, H, W). logits: (2, S, n), of the target. maps: (2, S, n, C, H, W), |gradient × input| over its sum.
    """

    x: Tensor
    logits: Tensor
    maps: Tensor


def mosaics(x: Tensor) -> Tensor:
    """Images (4·m, C, H, W) at half size, four by four as top left, top right, bottom left, bottom right: (m, C, H, W)."""
    height, width = x.shape[2], x.shape[3]
    # The lower and right tiles take the odd line, so that a mosaic has the images' size.
    top, left = height // 2, width // 2
    sizes = [(top, left), (top, width - left), (height - top, left), (height - top, width - left)]
    tiles = [F.interpolate(x[place::4], size, mode="nearest") for place, size in enumerate(sizes)]
    return torch.cat([torch.cat(tiles[:2], 3), torch.cat(tiles[2:], 3)], 2)


def score_mosaic(probabilities: Tensor, labels: Tensor, chosen: Tensor, size: tuple[int, int]) -> Tensor:
    """m of the contrastiveness, (n, 1, H, W): 2·p[label of the tile] / p[label of the positive tile] − 1, and 1 at the crossing.

    Args:
        probabilities: (n, classes) of the positive image at full size. labels: (n, 4). chosen: (n,) the positive tile.
        size: (H, W) of a mosaic.
    """
    height, width = size
    of_tiles = probabilities.gather(1, labels)
    # A class of no probability at all would make this infinite.
    of_chosen = of_tiles.gather(1, chosen[:, None]).clamp_min(torch.finfo(of_tiles.dtype).tiny)
    values = 2 * of_tiles / of_chosen - 1
    board = values.new_empty(len(values), 1, height, width)
    top, left = height // 2, width // 2
    board[:, 0, :top, :left], board[:, 0, :top, left:] = values[:, 0, None, None], values[:, 1, None, None]
    board[:, 0, top:, :left], board[:, 0, top:, left:] = values[:, 2, None, None], values[:, 3, None, None]
    # Pixels at the crossing may belong to any tile.
    board[:, :, top - 1 : top + 1, left - 1 : left + 1] = 1
    return board


def stepwise_masking(model: ImageModel, x: Tensor, target: Tensor, steps: int) -> Masked:
    """Mask images (n, C, H, W) by the model's own |gradient × input|: at step s the top s/S of the entries of the current map (MoRF),
    or the bottom (LeRF), become 0, on top of those before.

    Entries that tie (those without gradient; those that are 0 already change nothing) are taken in the order in which they lie in
    (C, H, W), the first first, in both orders. The paper leaves it open, and `topk` of the published code takes whichever comes.
    """
    count = len(x)
    # Step 1 sees the untouched image in both orders: once is enough.
    logits, maps = _gradient_map(model, x, target)
    saved_x, saved_logits, saved_maps = [torch.stack([x, x])], [logits.expand(2, -1)], [maps.expand(2, *maps.shape)]
    current, twice = torch.cat([x, x]), target.repeat(2)
    entries = x[0].numel()
    for share in torch.linspace(1 / steps, 1, steps)[:-1]:
        # As published: the share as a float32, the number of entries rounded down.
        number = int(share * entries)
        current = current.clone()
        flat, order = current.view(2, count, -1), saved_maps[-1].flatten(2)
        for which in (0, 1):
            sorted_ = order[which].sort(dim=1, descending=which == 0, stable=True)
            flat[which].scatter_(1, sorted_.indices[:, :number], 0.0)
        logits, maps = _gradient_map(model, current, twice)
        saved_x.append(current.view(2, count, *x.shape[1:]))
        saved_logits.append(logits.view(2, count))
        saved_maps.append(maps.view(2, count, *x.shape[1:]))
    return Masked(torch.stack(saved_x, 1), torch.stack(saved_logits, 1), torch.stack(saved_maps, 1))


def impact(masked: Masked) -> Tensor:
    """I, (n, C, H, W): the sign of where the summed LeRF maps lie above the summed MoRF maps."""
    morf, lerf = masked.maps.sum(1)
    return (_by_sum(lerf) - _by_sum(morf)).sign()


def faithfulness(signs: Tensor, relevance: Tensor) -> Tensor:
    """F = Σ I·r / Σ r, (n,)."""
    return _overlap(signs, relevance)


def explain_masked(masked: Masked, target: Tensor, explain: Callable[[Tensor, Tensor], Tensor], batch: int) -> Tensor:
    """r of all masked images but the untouched ones, (2, S − 1, n, C, H, W), in full batches."""
    images = masked.x[:, 1:]
    classes = target.expand(images.shape[:3]).flatten()
    parts = zip(images.flatten(0, 2).split(batch), classes.split(batch), strict=True)
    return torch.cat([explain(part, chosen) for part, chosen in parts]).view(images.shape)


def robustness(relevance: Tensor, masked: Masked, explained: Tensor) -> Tensor:
    """B = 1 − 2·D(Δr, Δo), (n,): does the explanation change as the output does?

    Args:
        relevance: r of the untouched images, (n, C, H, W). explained: r of the masked ones, as :func:`explain_masked` gives.
    """
    in_relevance, in_output = [], []
    first = masked.logits[0, 0] + EPSILON
    for step, (morf, lerf) in enumerate(zip(*explained, strict=True), start=1):
        in_relevance.append(distance(relevance, morf) - distance(relevance, lerf))
        in_output.append(masked.logits[1, step] / first - masked.logits[0, step] / first)
    return 1 - 2 * distance(torch.stack(in_relevance, 1), torch.stack(in_output, 1))


def contrastiveness(weights: Tensor, relevance: Tensor) -> Tensor:
    """C = relu(Σ m·r / Σ r) of the mosaics, (n,)."""
    return _overlap(weights, relevance).relu()


def local_consistency(faithful: Tensor, robust: Tensor) -> Tensor:
    """L = relu(F + B) / 2."""
    return (faithful + robust).relu() / 2


def distance(a: Tensor, b: Tensor) -> Tensor:
    """D(a, b) = Σ|a − b| / (Σ|a| + Σ|b|), (n,)."""
    a, b = a.flatten(1), b.flatten(1)
    return (a - b).abs().sum(1) / (a.abs().sum(1) + b.abs().sum(1) + EPSILON)


def positive_map(relevance: Tensor) -> Tensor:
    """r = relu(map) / max, (n, C, H, W); 0 where nothing is positive."""
    largest = relevance.flatten(1).abs().amax(1).clamp_min(torch.finfo(relevance.dtype).tiny)
    # By the largest magnitude first, so that maps of any scale pass the small constant alike.
    positive = (relevance / largest.view(-1, 1, 1, 1)).relu()
    return positive / (positive.flatten(1).amax(1) + EPSILON).view(-1, 1, 1, 1)


def _gradient_map(model: ImageModel, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The target's logit (n,) and |gradient × input| over its sum (n, C, H, W)."""
    graph = model.graph_for(x)
    with model.lock, torch.enable_grad():
        leaf = x.detach().requires_grad_()
        output = leaf
        for _, output in graph.steps(leaf, graph.output, attached=True):  # noqa: B007  (the last value is the output)
            pass
        logits = output.gather(1, target[:, None])[:, 0]
        (gradient,) = torch.autograd.grad(logits.sum(), leaf)
    return logits.detach(), _by_sum((gradient * x).abs())


def _by_sum(values: Tensor) -> Tensor:
    return values / (values.flatten(1).abs().sum(1) + EPSILON).view(-1, 1, 1, 1)


def _overlap(mask: Tensor, relevance: Tensor) -> Tensor:
    return (mask * relevance).flatten(1).sum(1) / (relevance.flatten(1).sum(1) + EPSILON)
