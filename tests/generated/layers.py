"""Every option of torch.nn's convolutions, pools, norms, activations, paddings and resizings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.generated.drawing import Call, Draw, piece

MAPS = (2, 3, 4)  # (C, L), (C, H, W), (C, D, H, W)
MOST = 6  # channels of a result


def of_axes(draw: Draw, name: str) -> Any:
    """The class of a layer for as many axes as there are, such as Conv2d."""
    return getattr(nn, f"{name}{len(draw.space)}d", None)


def told(module: nn.Module) -> nn.Module:
    """With weights, biases and statistics that are not those of a fresh layer."""
    for part in module.modules():
        for name, value in [*part._parameters.items(), *part._buffers.items()]:
            if value is None or not value.is_floating_point():
                continue
            if name == "running_var":
                value.data.uniform_(0.5, 2)
            elif value.ndim == 1 or name.startswith("running"):
                value.data.normal_(0.3 if name == "weight" else 0.0, 0.7)
    return module


# -- convolutions ------------------------------------------------------------------------------------------------------


@piece("convolution", *MAPS, linear=True)
def convolution(draw: Draw) -> nn.Module:
    mode = draw("padding_mode", "zeros", "reflect", "replicate", "circular")
    padding = draw("padding", "number", "same", "valid")
    out = draw("out", 2, 3, 4, 6)
    options: dict[str, Any] = {
        "kernel_size": draw.axes("kernel", 1, 2, 3, 4),
        "stride": 1 if padding == "same" else draw.axes("stride", 1, 2, 3),
        "dilation": draw.axes("dilation", 1, 2),
        "groups": draw.divisor("groups", draw.channels, out),
        "padding": padding if padding != "number" else draw.axes("pad", 0, 1, 2),
        "padding_mode": mode,
        "bias": draw("bias", True, False),
    }
    return of_axes(draw, "Conv")(draw.channels, out, **options)


@piece("transposed convolution", *MAPS, linear=True)
def transposed(draw: Draw) -> nn.Module | None:
    if max(draw.space) > 12:
        return None
    out = draw("out", 2, 3, 4)
    options: dict[str, Any] = {
        "kernel_size": draw.axes("kernel", 1, 2, 3),
        "stride": draw.axes("stride", 1, 2, 3),
        "padding": draw.axes("pad", 0, 1),
        "output_padding": draw.axes("output_padding", 0, 1, 2),
        "groups": draw.divisor("groups", draw.channels, out),
        "dilation": draw.axes("dilation", 1, 2, 3),
        "bias": draw("bias", True, False),
    }
    return of_axes(draw, "ConvTranspose")(draw.channels, out, **options)


@piece("linear", 1, 2, linear=True)
def linear(draw: Draw) -> nn.Module:
    return nn.Linear(draw.shape[-1], draw("out", 2, 4, 6), bias=draw("bias", True, False))


@piece("bilinear", 1, 2)
def bilinear(draw: Draw) -> nn.Module:
    width = draw.shape[-1]
    layer, second = (
        nn.Bilinear(width, width, draw("out", 1, 3), bias=draw("bias", True, False)),
        draw("twice", True, False),
    )
    return Call(lambda own, x: own.layer(x, x if second else x.flip(-1)), layer=layer)


@piece("cosine similarity")
def cosine_similarity(draw: Draw) -> nn.Module:
    layer = nn.CosineSimilarity(dim=draw("dim", 1, -1), eps=draw("eps", 1e-8, 1e-2))
    return Call(lambda own, x: x * own.layer(x, x.roll(1, -1)).unsqueeze(own.layer.dim), layer=layer)


@piece("normed weights", 3, linear=True)
def normed_weights(draw: Draw) -> nn.Module:
    layer = nn.Conv2d(draw.channels, 4, 3, padding=1)
    norm = draw("norm", "weight_norm", "spectral_norm", "orthogonal")
    return getattr(nn.utils.parametrizations, norm)(layer)


# -- pools -------------------------------------------------------------------------------------------------------------


@piece("max pool", *MAPS, linear=True)
def max_pool(draw: Draw) -> nn.Module:
    options: dict[str, Any] = {
        "stride": draw("stride", None, 1, 2),
        "padding": draw.axes("pad", 0, 1),
        "dilation": draw.axes("dilation", 1, 2),
        "ceil_mode": draw("ceil_mode", False, True),
    }
    return of_axes(draw, "MaxPool")(draw.axes("kernel", 2, 3), **options)


@piece("average pool", *MAPS, linear=True)
def average_pool(draw: Draw) -> nn.Module:
    options: dict[str, Any] = {
        "stride": draw("stride", None, 1, 2),
        "padding": draw("pad", 0, 1),
        "ceil_mode": draw("ceil_mode", False, True),
        "count_include_pad": draw("count_include_pad", True, False),
    }
    if len(draw.space) > 1:
        options["divisor_override"] = draw("divisor_override", None, 3)
    return of_axes(draw, "AvgPool")(draw("kernel", 2, 3), **options)


@piece("adaptive pool", *MAPS, linear=True)
def adaptive_pool(draw: Draw) -> nn.Module:
    which = draw("which", "AdaptiveAvgPool", "AdaptiveMaxPool")
    sizes = tuple(draw("size", 1, 2, 3, None) if len(draw.space) > 1 else draw("size", 1, 2, 3) for _ in draw.space)
    if which == "AdaptiveMaxPool" and draw("return_indices", False, True):
        return Call(lambda own, x: own.pool(x)[0], pool=of_axes(draw, which)(sizes, return_indices=True))
    return of_axes(draw, which)(sizes)


@piece("lp pool", *MAPS)
def lp_pool(draw: Draw) -> nn.Module:
    norm = draw("norm", 1, 2, 3)
    pool = of_axes(draw, "LPPool")(norm, 2, stride=draw("stride", None, 1), ceil_mode=draw("ceil_mode", False, True))
    return Call(lambda own, x: own.pool(x.abs() + 0.1), pool=pool)


@piece("fractional pool", 3, 4, linear=True)
def fractional_pool(draw: Draw) -> nn.Module | None:
    if min(draw.space) < 3:
        return None
    name, how = f"fractional_max_pool{len(draw.space)}d", draw("by", "output_ratio", "output_size")
    options: dict[str, Any] = {how: 0.6 if how == "output_ratio" else 2}
    if draw("samples", "given", "given", "drawn") == "drawn":
        return of_axes(draw, "FractionalMaxPool")(2, **options)  # random in evaluation mode
    pool, samples = getattr(F, name), torch.rand(1, draw.channels, len(draw.space))
    return Call(
        lambda own, x: pool(x, 2, **options, _random_samples=own.samples.expand(x.shape[0], -1, -1).to(x)),
        samples=samples,
    )


@piece("unpool", *MAPS, linear=True)
def unpool(draw: Draw) -> nn.Module | None:
    if min(draw.space) < 2:
        return None
    stride = draw("stride", 2, 3)  # where windows overlap, torch does not say what comes out
    pool = of_axes(draw, "MaxPool")(2, stride, return_indices=True)
    back, whole = of_axes(draw, "MaxUnpool")(2, stride), draw("output_size", True, False)

    def forward(own: Any, x: Tensor) -> Tensor:
        y, where = own.pool(x)
        return own.back(y, where, output_size=x.shape if whole else None)

    return Call(forward, pool=pool, back=back)


# -- norms -------------------------------------------------------------------------------------------------------------


@piece("batch norm", 1, *MAPS, linear=True)
def batch_norm(draw: Draw) -> nn.Module:
    kind = nn.BatchNorm1d if len(draw.shape) == 1 else of_axes(draw, "BatchNorm")
    module = kind(
        draw.channels,
        eps=draw("eps", 1e-5, 0.1),
        momentum=draw("momentum", 0.1, None),
        affine=draw("affine", True, False),
        track_running_stats=draw("track_running_stats", True, True, True, False),
    )
    return told(module)


@piece("instance norm with statistics", *MAPS, linear=True)
def tracked_instance_norm(draw: Draw) -> nn.Module:
    kind = of_axes(draw, "InstanceNorm")
    return told(
        kind(draw.channels, eps=draw("eps", 1e-5, 0.1), affine=draw("affine", True, False), track_running_stats=True)
    )


@piece("instance norm", *MAPS)
def instance_norm(draw: Draw) -> nn.Module:
    return told(of_axes(draw, "InstanceNorm")(draw.channels, affine=draw("affine", True, False)))


@piece("group norm", *MAPS)
def group_norm(draw: Draw) -> nn.Module:
    groups = draw.divisor("groups", draw.channels)
    return told(nn.GroupNorm(groups, draw.channels, eps=draw("eps", 1e-5, 0.1), affine=draw("affine", True, False)))


@piece("layer norm", 1, 2, 3)
def layer_norm(draw: Draw) -> nn.Module:
    count = draw("axes", *range(1, len(draw.shape) + 1))
    affine = draw("elementwise_affine", True, False)
    return told(nn.LayerNorm(draw.shape[-count:], elementwise_affine=affine, bias=draw("bias", True, False), eps=1e-3))


@piece("rms norm", 1, 2, 3)
def rms_norm(draw: Draw) -> nn.Module:
    count = draw("axes", *range(1, len(draw.shape) + 1))
    affine = draw("elementwise_affine", True, False)
    return told(nn.RMSNorm(draw.shape[-count:], eps=draw("eps", None, 1e-2), elementwise_affine=affine))


@piece("local response norm", *MAPS)
def response_norm(draw: Draw) -> nn.Module:
    return nn.LocalResponseNorm(draw("size", 2, 3), alpha=0.1, k=draw("k", 1.0, 2.0))


# -- activations -------------------------------------------------------------------------------------------------------

BENT: dict[str, Callable[[Draw], nn.Module]] = {
    "ReLU": lambda draw: nn.ReLU(inplace=draw("inplace", False, True)),
    "LeakyReLU": lambda draw: nn.LeakyReLU(draw("negative_slope", 0.1, 0.5), inplace=draw("inplace", False, True)),
    "PReLU": lambda draw: nn.PReLU(draw("num_parameters", 1, draw.channels), init=0.2),
    "RReLU": lambda draw: nn.RReLU(inplace=draw("inplace", False, True)),
    "Hardshrink": lambda draw: nn.Hardshrink(draw("lambd", 0.1, 0.5)),
    "Identity": lambda draw: nn.Identity(),
    "Dropout": lambda draw: nn.Dropout(0.5, inplace=draw("inplace", False, True)),
    "Dropout of channels": lambda draw: of_axes(draw, "Dropout")() if len(draw.shape) > 1 else nn.Dropout(0.5),
    "AlphaDropout": lambda draw: nn.AlphaDropout(0.5),
    "FeatureAlphaDropout": lambda draw: nn.FeatureAlphaDropout(0.5) if len(draw.shape) > 1 else nn.Dropout(),
}
CURVED: dict[str, Callable[[Draw], nn.Module]] = {
    "ReLU6": lambda draw: nn.ReLU6(inplace=draw("inplace", False, True)),
    "ELU": lambda draw: nn.ELU(draw("alpha", 1.0, 0.5), inplace=draw("inplace", False, True)),
    "CELU": lambda draw: nn.CELU(draw("alpha", 1.0, 0.5)),
    "SELU": lambda draw: nn.SELU(),
    "GELU": lambda draw: nn.GELU(approximate=draw("approximate", "none", "tanh")),
    "SiLU": lambda draw: nn.SiLU(inplace=draw("inplace", False, True)),
    "Mish": lambda draw: nn.Mish(),
    "Softplus": lambda draw: nn.Softplus(draw("beta", 1.0, 3.0), threshold=draw("threshold", 20.0, 1.0)),
    "Softsign": lambda draw: nn.Softsign(),
    "Tanh": lambda draw: nn.Tanh(),
    "Sigmoid": lambda draw: nn.Sigmoid(),
    "LogSigmoid": lambda draw: nn.LogSigmoid(),
    "Hardtanh": lambda draw: nn.Hardtanh(
        draw("min", -1.0, -2.0), draw("max", 1.0, 0.5), inplace=draw("inplace", False, True)
    ),
    "Hardswish": lambda draw: nn.Hardswish(),
    "Hardsigmoid": lambda draw: nn.Hardsigmoid(),
    "Softshrink": lambda draw: nn.Softshrink(draw("lambd", 0.1, 0.5)),
    "Tanhshrink": lambda draw: nn.Tanhshrink(),
    "Threshold": lambda draw: nn.Threshold(draw("threshold", 0.1, -0.5), draw("value", 0.0, 2.0)),
    "Softmax": lambda draw: nn.Softmax(draw("dim", 1, -1)),
    "Softmax2d": lambda draw: nn.Softmax2d() if len(draw.shape) == 3 else nn.Softmax(1),
    "Softmin": lambda draw: nn.Softmin(draw("dim", 1, -1)),
    "LogSoftmax": lambda draw: nn.LogSoftmax(draw("dim", 1, -1)),
}


@piece("bent activation", linear=True)
def bent(draw: Draw) -> nn.Module:
    return BENT[draw("which", *BENT)](draw)


@piece("curved activation")
def curved(draw: Draw) -> nn.Module:
    return CURVED[draw("which", *CURVED)](draw)


@piece("gated linear unit", 2, 3)
def glu(draw: Draw) -> nn.Module | None:
    dim = draw("dim", 1, -1)
    return nn.GLU(dim) if draw.shape[dim - 1 if dim > 0 else dim] % 2 == 0 else None


# -- paddings and resizings --------------------------------------------------------------------------------------------


@piece("padding", *MAPS, linear=True)
def padding(draw: Draw) -> nn.Module:
    which = draw("which", "ConstantPad", "ZeroPad", "ReflectionPad", "ReplicationPad", "CircularPad")
    sizes = [
        draw("size", 0, 1, 2, -1) if which in ("ConstantPad", "ZeroPad") else draw("size", 0, 1, 2)
        for _ in range(2 * len(draw.space))
    ]
    value = {"value": draw("value", 0.0, 1.5)} if which == "ConstantPad" else {}
    return of_axes(draw, which)(tuple(sizes), **value)


PADS = ("constant", "reflect", "replicate", "circular")


@piece("pad by a function", *MAPS, linear=True)
def pad_function(draw: Draw) -> nn.Module:
    mode = draw("mode", *PADS)
    sizes = [draw("size", 0, 1, 2) for _ in range(2 * len(draw.space))]
    value = draw("value", None, 0.7) if mode == "constant" else None
    return Call(lambda own, x: F.pad(x, sizes, mode, value))


@piece("upsampling layer", 3, linear=True)
def upsampling(draw: Draw) -> nn.Module:
    kind = nn.UpsamplingNearest2d if draw("which", "nearest", "bilinear") == "nearest" else nn.UpsamplingBilinear2d
    return kind(scale_factor=2) if draw("by", "scale_factor", "size") == "scale_factor" else kind(size=(3, 7))


@piece("resizing", *MAPS, linear=True)
def resizing(draw: Draw) -> nn.Module | None:
    if max(draw.space) > 12:
        return None
    own = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(draw.space)]
    more = ("bicubic",) if len(draw.space) == 2 else ()
    mode = draw("mode", "nearest", "nearest-exact", "area", own, *more)
    options: dict[str, Any] = {"mode": mode}
    if mode in (own, "bicubic"):
        options["align_corners"] = draw("align_corners", None, True, False)
        if len(draw.space) == 2 and options["align_corners"] is not True:
            options["antialias"] = draw("antialias", False, True)
    if draw("by", "size", "scale_factor") == "size":
        options["size"] = tuple(draw.choose((2, 3, 5, 7)) for _ in draw.space)
    else:
        options["scale_factor"] = draw("factor", 2, 0.6, 1.5)
        options["recompute_scale_factor"] = draw("recompute_scale_factor", None, True)
    if options.pop("antialias", False):
        return Call(lambda own, x: F.interpolate(x, antialias=True, **options))
    return (
        nn.Upsample(**options)
        if draw("how", "module", "function") == "module"
        else Call(lambda own, x: F.interpolate(x, **options))
    )


@piece("shuffling", 3, linear=True)
def shuffling(draw: Draw) -> nn.Module | None:
    which = draw("which", "PixelShuffle", "PixelUnshuffle", "ChannelShuffle")
    if which == "PixelShuffle":
        return nn.PixelShuffle(2) if draw.channels % 4 == 0 else None
    if which == "PixelUnshuffle":
        return nn.PixelUnshuffle(2) if all(size % 2 == 0 for size in draw.space) else None
    return nn.ChannelShuffle(draw.divisor("groups", draw.channels))


@piece("unfold and fold", 3, linear=True)
def folding(draw: Draw) -> nn.Module:
    how: dict[str, Any] = {
        "kernel_size": draw("kernel", 2, 3),
        "padding": draw("pad", 0, 1),
        "stride": draw("stride", 1, 2),
        "dilation": draw("dilation", 1, 2),
    }
    space = draw.space
    if draw("back", True, False):
        return Call(lambda own, x: F.fold(F.unfold(x, **how), space, **how))
    return nn.Unfold(**how)


@piece("sampling at points", 3, linear=True)
def sampling(draw: Draw) -> nn.Module:
    mode, border = draw("mode", "bilinear", "nearest", "bicubic"), draw("padding_mode", "zeros", "border", "reflection")
    corners, grid = draw("align_corners", True, False), torch.rand(1, 4, 5, 2) * 2.2 - 1.1
    return Call(
        lambda own, x: F.grid_sample(x, own.grid.expand(x.shape[0], -1, -1, -1), mode, border, corners), grid=grid
    )


@piece("shape", linear=True)
def shape(draw: Draw) -> nn.Module | None:
    which = draw("which", "Flatten", "Unflatten")
    if which == "Flatten":
        return nn.Flatten(draw("start_dim", 1, 2), draw("end_dim", -1, -2)) if len(draw.shape) > 2 else None
    return nn.Unflatten(1, (2, -1)) if draw.channels % 2 == 0 and len(draw.shape) < 4 else None
