"""Calls that people write, each as a function of images (N, 3, 8, 8) or tokens (N, 6, 8): what the engine reads and explains."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Call = Callable[[Tensor], Tensor]


def constant(*shape: int, seed: int = 3) -> Tensor:
    """Weights that a model would keep, in float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


SQUARE, ROW, CUBE, GRID = constant(8, 8), constant(8), constant(6, 8, 8), constant(1, 5, 4, 2).tanh()
FOUR = constant(4, 8, 8)


def written(x: Tensor) -> Tensor:
    """Slices written in place."""
    y = x * 2.0
    y[:, 0] = y[:, 1] * 3.0
    y[:, 1:, 4:7] += y[:, :2, :3]
    y[:, :, [0, 3]] *= 0.5
    return y


def zeroed(x: Tensor) -> Tensor:
    y = x.clone()
    y[:, 1] = 0.0
    y[..., 2:4] = 0.0
    return y


def masked(x: Tensor) -> Tensor:
    y = x.clone()
    y[y < 0] = 0.0
    return y


def chosen_token(t: Tensor) -> Tensor:
    """The token with the largest first feature, as pooling at an end-of-text token does."""
    return t[torch.arange(t.shape[0]), t[:, :, 0].argmax(1)]


def rational(x: Tensor) -> Tensor:
    return torch.where(torch.isnan(x) | torch.logical_or(x > 1, x <= -1), x * 0.25, 2 * x)


def sampled(x: Tensor) -> Tensor:
    grid = GRID.to(x.dtype).expand(x.shape[0], -1, -1, -1)
    return F.grid_sample(x, grid, align_corners=False, padding_mode="border")


def affine(x: Tensor) -> Tensor:
    turn = torch.tensor([[0.8, -0.3, 0.1], [0.3, 0.8, 0.0]], dtype=x.dtype).expand(x.shape[0], 2, 3)
    return F.grid_sample(x, F.affine_grid(turn, list(x.shape), align_corners=False), align_corners=False)


def unpooled(x: Tensor) -> Tensor:
    y, where = F.max_pool2d(x, 2, return_indices=True)
    return F.max_unpool2d(y, where, [2, 2])


def smallest_and_largest(t: Tensor) -> Tensor:
    # Older torch has no derivative of the pair, which the test asks for.
    low, high = (t.amin(1), t.amax(1)) if t.requires_grad else torch.aminmax(t, dim=1)
    return high - 2 * low


def spread_and_mean(t: Tensor) -> Tensor:
    spread, mean = torch.var_mean(t, 1, keepdim=True)
    return mean * spread + t * spread


def kept_largest(t: Tensor) -> Tensor:
    """Sparse attention's cut: what is not among the largest is put to zero."""
    least = t.topk(3, dim=-1).values[..., -1:]
    return t * (t >= least).to(t.dtype)


def scattered(t: Tensor) -> Tensor:
    order = t.argsort(1)
    return torch.zeros_like(t).scatter(1, order, t * 2) + t.scatter_add(1, order, t)


def put(x: Tensor) -> Tensor:
    places = torch.tensor([0, 2]), torch.tensor([1, 1])
    return (
        x.permute(1, 2, 3, 0).index_put(places, x.permute(1, 2, 3, 0)[:2, 3] * 2.0, accumulate=True).permute(3, 0, 1, 2)
    )


def conditional(t: Tensor) -> Tensor:
    """A convolution whose weights come from the image, all images at once as groups."""
    x, weight = t[:, :4].reshape(1, -1, 8), t[:, 4:, :3].repeat(1, 2, 1).reshape(-1, 1, 3)
    return F.conv1d(x, weight, groups=x.shape[1]).reshape(t.shape[0], 4, 6)


def grouped(t: Tensor) -> Tensor:
    """Four heads of queries, two of keys and values."""
    q, kv = t.unflatten(2, (4, 2)).transpose(1, 2), t[..., :4].unflatten(2, (2, 2)).transpose(1, 2)
    return F.scaled_dot_product_attention(q, kv, kv, enable_gqa=True)


def shared(t: Tensor) -> Tensor:
    """One head of keys and values for all of the queries'; a query that is learned."""
    q, kv = t.unflatten(2, (4, 2)).transpose(1, 2), t[..., :2].unsqueeze(1)
    asked = F.scaled_dot_product_attention(FOUR[:, :3, :2].to(t.dtype)[None], q, q)
    return torch.cat([F.scaled_dot_product_attention(q, kv, kv), asked], 2)


def filtered(x: Tensor) -> Tensor:
    """A global filter: products with constants between a Fourier transform and its inverse."""
    weight = torch.view_as_complex(CUBE[:3, :, :].reshape(3, 8, 4, 2)[..., [0, 1, 2, 3, 0], :].to(x.dtype).contiguous())
    return torch.fft.irfft2(torch.fft.rfft2(x, norm="ortho") * weight, s=(8, 8), norm="ortho")


def low_frequencies(x: Tensor) -> Tensor:
    """What is left of an image when high frequencies are cut, in another size."""
    y = torch.fft.fftshift(torch.fft.fft2(x), dim=(-2, -1))[..., 2:6, 2:6]
    return torch.fft.ifft2(torch.fft.ifftshift(y, dim=(-2, -1))).real / 4 + x[..., ::2, ::2]


def parts_of_numbers(x: Tensor) -> Tensor:
    """Real and imaginary parts go ways of their own and meet again."""
    y = torch.fft.rfft2(x)
    pair = torch.view_as_real(y)
    z = torch.complex(pair[..., 0] * 2 - y.imag, F.relu(y.imag))
    return torch.cat([torch.fft.irfft(z.conj(), n=6), torch.fft.ihfft(x).imag.repeat(1, 1, 1, 2)[..., :6]], 1)


IMAGES: dict[str, Call] = {
    "filtered": filtered,
    "low_frequencies": low_frequencies,
    "parts_of_numbers": parts_of_numbers,
    "shifted": lambda x: torch.fft.fftshift(x, dim=(2, 3)),
    "take_along_dim": lambda x: x.take_along_dim(x.argsort(3)[..., :3], 3),
    "written": written,
    "zeroed": zeroed,
    "masked": masked,
    "rational": rational,
    "grid_sample": sampled,
    "affine_grid": affine,
    "unpooled": unpooled,
    "put": put,
    "adaptive_max_pool": nn.AdaptiveMaxPool2d(1),
    "adaptive_max_pool_3": lambda x: F.adaptive_max_pool2d(x, (3, 2)),
    "max_pool_with_indices": lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True)[0],
    "max_pool3d": lambda x: F.max_pool3d(x[:, None], (1, 2, 3), 2, (0, 1, 1)),
    "adaptive_max_pool3d": lambda x: F.adaptive_max_pool3d(x[:, None], (2, 3, 3)),
    "max_pool1d": lambda x: F.max_pool1d(x.flatten(2), 5, 2, 1),
    "adaptive_max_pool1d": lambda x: F.adaptive_max_pool1d(x.flatten(2), 7),
    "amax": lambda x: x.amax((2, 3)),
    "cbam": lambda x: torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1),
    "maximum": lambda x: torch.maximum(x, x.roll(1, 2) * 0.5),
    "max_of_two": lambda x: torch.max(x, 2 * x.flip(3)),
    "minimum": lambda x: torch.minimum(x, x.transpose(2, 3)),
    "fmax_constant": lambda x: torch.fmax(x, 0 * x),
    "hard_activation": lambda x: x * ((x + 3 > 0) & (x < 3)).to(x.dtype),
    "comparison": lambda x: x * (x.ge(0).to(x.dtype) + 0.1 * x.lt(0).to(x.dtype)),
    "signed": lambda x: x.sign() * x.abs(),
    "where": lambda x: torch.where(x > 0.3, x * 3, x.flip(2)),
    "where_constant": lambda x: torch.where(torch.arange(8) % 2 == 0, x, x.flip(3) * 2),
    "masked_fill": lambda x: x.masked_fill(x.abs() < 0.5, 0.0),
    "masked_scatter": lambda x: torch.triu(x) + torch.tril(x, -1) * 0.5,
    "fold": lambda x: F.fold(F.unfold(x, 3, stride=2, padding=1), (8, 8), 3, stride=2, padding=1),
    "repeat_interleave": lambda x: x.repeat_interleave(2, dim=1).repeat_interleave(3, dim=3),
    "repeat_interleave_each": lambda x: x.repeat_interleave(torch.tensor([1, 0, 2]), dim=1),
    "interpolate": lambda x: F.interpolate(x, scale_factor=2, mode="bicubic", antialias=True),
    "interpolate_exact": lambda x: F.interpolate(x, size=5, mode="nearest-exact"),
    "interpolate_line": lambda x: F.interpolate(x.flatten(2), scale_factor=0.5, mode="linear"),
    "interpolate_area": lambda x: F.interpolate(x, size=3, mode="area"),
    "rot90": lambda x: torch.rot90(x, 1, (2, 3)),
    "circular": lambda x: F.pad(x, (1, 2, 0, 1), mode="circular"),
    "reflect": lambda x: F.pad(x, (1, 2, 0, 1), mode="reflect"),
    "roll": lambda x: torch.roll(x, (1, -2), (2, 3)),
    "split": lambda x: x.split([1, 2], 1)[1] * x.split(2, 1)[0].mean().sign(),
    "unbind": lambda x: x.unbind(1)[2] - x.unbind(1)[0],
    "stacked": lambda x: torch.stack([x, x, 2 * x], 1) + torch.hstack([x, x, x]).unflatten(1, (3, 3)),
    "shuffled": lambda x: F.channel_shuffle(F.pixel_unshuffle(x, 2), 3),
    "expanded_constant": lambda x: torch.cat([ROW.to(x.dtype).expand_as(x), x], 1),
    "rounded_mask": lambda x: x * torch.round(x).abs().gt(0.5).to(x.dtype),
}  # fmt: skip

TOKENS: dict[str, Call] = {
    "mixed_by_fourier": lambda t: torch.fft.fft(torch.fft.fft(t, dim=-1), dim=-2).real,
    "take_along_dim_of_all": lambda t: torch.take_along_dim(t.flatten(1), t.flatten(1).argsort(1)[:, :5], 1),
    "max": lambda t: t.max(1)[0],
    "min": lambda t: t.min(dim=2, keepdim=True).values,
    "topk": lambda t: t.topk(3, 1)[0],
    "smallest_topk": lambda t: t.topk(2, dim=-1, largest=False, sorted=False).values.sum(-1),
    "sort": lambda t: torch.sort(t, dim=1, descending=True)[0],
    "stable_sort": lambda t: torch.sort(t, stable=True, dim=1)[0],
    "median": lambda t: t.median(1).values,
    "kthvalue": lambda t: t.kthvalue(2, dim=1).values,
    "cummax": lambda t: t.cummax(1).values,
    "aminmax": smallest_and_largest,
    "var_mean": lambda t: torch.var_mean(t, 1)[1],
    "kept_largest": kept_largest,
    "chosen_token": chosen_token,
    "gather": lambda t: t.gather(1, t.argsort(1, descending=True)[:, :2]),
    "index_select": lambda t: t.index_select(1, torch.tensor([3, 3, 0])),
    "index": lambda t: t[:, torch.tensor([1, 0]), torch.tensor([2, 5])],
    "index_add": lambda t: t.index_add(1, torch.tensor([0, 1, 0]), 2 * t[:, 3:]),
    "scattered": scattered,
    "cumsum": lambda t: t.cumsum(1),
    "diff": lambda t: t.diff(dim=1),
    "lerp": lambda t: torch.lerp(t, t.flip(1), 0.3),
    "lerp_mask": lambda t: torch.lerp(t, t.flip(1), (t > 0).to(t.dtype)),
    "addcdiv": lambda t: torch.addcdiv(t, t.flip(1), ROW.to(t.dtype).abs() + 1, value=2),
    "addcmul": lambda t: torch.addcmul(t, t.flip(2), ROW.to(t.dtype), value=-0.5),
    "swapped": lambda t: t.swapaxes(1, 2).movedim(1, 2).mT.moveaxis(2, 1),
    "one_hot": lambda t: t * F.one_hot(t.argmax(-1), 8).to(t.dtype),
    "mm": lambda t: torch.mm(t[:, 0], SQUARE.to(t.dtype)),
    "mm_left": lambda t: torch.matmul(CUBE[0, :6, :6].to(t.dtype), t),
    "matmul": lambda t: t @ SQUARE.to(t.dtype),
    "matmul_vector": lambda t: t @ ROW.to(t.dtype),
    "vector_matmul": lambda t: torch.matmul(ROW[:6].to(t.dtype), t),
    "matmul_stack": lambda t: t.unsqueeze(2) @ CUBE.to(t.dtype),
    "matmul_broadcast": lambda t: t.unsqueeze(1) @ FOUR.to(t.dtype),
    "addmm": lambda t: torch.addmm(0 * t[:, 1], t[:, 0], SQUARE.to(t.dtype), alpha=0.5),
    "mv": lambda t: torch.mv(t.flatten(0, 1), ROW.to(t.dtype)).unflatten(0, (-1, 6)),
    "addmv": lambda t: torch.addmv(t[:, 0, 0], t[:, 1], ROW.to(t.dtype), beta=2.0).unsqueeze(1),
    "bmm": lambda t: torch.bmm(t, SQUARE.to(t.dtype).expand(t.shape[0], 8, 8)),
    "baddbmm": lambda t: torch.baddbmm(t, t, SQUARE.to(t.dtype).expand(t.shape[0], 8, 8), beta=0.5, alpha=2),
    "tensordot": lambda t: torch.tensordot(t, CUBE.to(t.dtype), dims=([1, 2], [0, 1])),
    "tensordot_1": lambda t: torch.tensordot(t, SQUARE.to(t.dtype), dims=1),
    "inner": lambda t: torch.inner(t, SQUARE.to(t.dtype)),
    "einsum": lambda t: torch.einsum("bnc,cd->bnd", t, SQUARE.to(t.dtype)),
    "einsum_heads": lambda t: torch.einsum("bnhd, hde -> bhne", t.unflatten(2, (4, 2)), FOUR[:, :2, :5].to(t.dtype)),
    "einsum_dots": lambda t: torch.einsum("...c,dc", t, SQUARE.to(t.dtype)),
    "einsum_sum": lambda t: torch.einsum("bnc,ndf->bnf", t, CUBE.to(t.dtype)),
    "einsum_three": lambda t: torch.einsum("bnc,cd,de->bne", t, SQUARE.to(t.dtype), SQUARE.to(t.dtype)),
    "einsum_one": lambda t: torch.einsum("bnc->cb", t).T + torch.einsum("bnn->bn", t[..., :6]).sum(1, keepdim=True),
    "outer_sum": lambda t: torch.einsum("bc,d->bcd", t[:, 0], ROW.to(t.dtype)),
    "embedding": lambda t: t * F.embedding(t.argmax(-1), CUBE.flatten(0, 1).to(t.dtype)),
}  # fmt: skip
"""Piecewise linear and without constants: relevance with a vanishing ε is gradient × input."""

BILINEAR: dict[str, Call] = {
    "matmul": lambda t: t @ t.mT,
    "bmm": lambda t: torch.bmm(t, t.mT),
    "baddbmm": lambda t: torch.baddbmm(torch.zeros_like(t), t @ t.mT, SQUARE[:6].to(t.dtype).expand(t.shape[0], 6, 8)),
    "einsum": lambda t: torch.einsum("bnc,bmc->bnm", t, t),
    "einsum_rest": lambda t: torch.einsum("bnc,bmd->bnd", t, t),
    "einsum_pair": lambda t: torch.einsum("bic,bid->bcd", t, t),
    "bilinear": lambda t: F.bilinear(t, t.flip(1), CUBE.to(t.dtype)),
    "gated": lambda t: t[:, 1:] * t[:, :1],
    "conv": conditional,
}  # fmt: skip
"""Of degree two: half of gradient × input."""

SMOOTH: dict[str, Call] = {
    "attention_grouped": grouped,
    "attention_shared": shared,
    "glu": lambda t: F.glu(t, -1),
    "logsumexp": lambda t: t.logsumexp(1),
    "prod": lambda t: t[:, :3].prod(1),
    "cosine": lambda t: F.cosine_similarity(t, t.flip(1), dim=-1),
    "spread_and_mean": spread_and_mean,
    "softmin": lambda t: F.softmin(t, -1) @ t.mT.mT[:, :1].transpose(1, 2).expand(-1, -1, 2),
    "rounded": lambda t: t.round() + t.floor() + t,
    "expm1": lambda t: t.expm1() + t.sinh() + t.atan() + F.softsign(t) + F.celu(t),
    "softmax_masked": lambda t: (t @ t.mT).masked_fill(torch.ones(6, 6).triu(1).bool(), float("-inf")).softmax(-1) @ t,
}  # fmt: skip
"""Everything else: it runs, its adjoint is one, `check` knows."""
