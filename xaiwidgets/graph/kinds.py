"""The operations the engine knows, by kind, and what else is known of them. Adding one is adding its ATen name to a row of `TABLE`;
to `SHIFTED` too where it is element-wise and not zero at zero.

What a kind means for relevance (a composite may say otherwise for any of them):

    linear      constant weights times inputs, also by another name (`rewriting`): the composite's rule
    move        entries change place or are chosen by a mask or positions, none changes value: relevance moves back with them
    sum         a fixed linear map without weights to exchange: relevance is shared in proportion to the addends. Sampling at given
                points (`grid_sampler`) is linear in the picture; the points are held constant. So is a way through Fourier transforms
                and filters back to real numbers (`spectral`)
    winner      the largest (smallest, middle) entries, or a smooth form of that (`logsumexp`): they take all, by torch's derivative
                where several are level
    pass        element by element: relevance passes unchanged. Rounding too, which changes little
    norm        normalisation: its statistic is held constant
    product     of activations: equal shares; an activation times a constant: all to the activation
    attention   products of two activations (matrices, or weights that come from the image), and the softmax between them
    statistic   a summary by which others are scaled, or what is piecewise constant (a sign): held constant, takes no relevance
    mask        truth values and whole numbers (comparisons, positions, argmax): held constant whatever gives them, since nothing
                changes with a small change of the image
    size        a number, or a constant filled with one, that depends on the batch size only

Masks and positions are held as AttnLRP holds statistics (Achtibat et al. 2024, §3.3): with them fixed, choosing entries is linear, and
relevance of what was chosen is what gradient × input gives. Winners: Bach et al. 2015; Montavon et al. 2019, §10.
"""

from __future__ import annotations

import math

import torch

from xaiwidgets.graph.linear import is_linear
from xaiwidgets.graph.operation import Operation, Value

__all__ = [
    "GATES",
    "KEEPS_SIGN",
    "KINDS",
    "NEVER_NEGATIVE",
    "SHIFTED",
    "TABLE",
    "is_elementwise",
    "kind_of",
    "offset_of",
]

TABLE: dict[str, str] = {
    "linear": """
        conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d linear
    """,
    "move": """
        view reshape flatten unflatten ravel permute transpose t mT mH numpy_T matrix_H adjoint swapaxes swapdims movedim moveaxis
        squeeze unsqueeze atleast_1d atleast_2d atleast_3d expand expand_as broadcast_to view_as reshape_as _unsafe_view
        _reshape_alias select slice narrow index index_select take take_along_dim gather getitem cat concat concatenate stack
        hstack vstack dstack column_stack row_stack block_diag roll flip fliplr flipud rot90 pad constant_pad_nd reflection_pad1d
        reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d _pad_circular repeat tile
        repeat_interleave pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle unfold im2col split
        split_with_sizes chunk tensor_split unbind diagonal diag diag_embed tril triu to _to_copy clone where masked_fill
        masked_scatter scatter select_scatter slice_scatter diagonal_scatter index_put index_copy index_fill max_unpool2d
        max_unpool3d nan_to_num fft_fftshift fft_ifftshift
    """,
    "sum": """
        add sub rsub mean sum nanmean nansum trace cumsum scatter_add index_add avg_pool1d avg_pool2d avg_pool3d
        adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d upsample_nearest1d upsample_nearest2d upsample_nearest3d
        _upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d upsample_linear1d upsample_bilinear2d
        upsample_trilinear3d upsample_bicubic2d _upsample_bilinear2d_aa _upsample_bicubic2d_aa col2im grid_sampler
        grid_sampler_2d grid_sampler_3d torchvision.deform_conv2d torchvision.roi_align spectral
    """,
    "winner": """
        max_pool1d max_pool2d max_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d fractional_max_pool2d
        fractional_max_pool3d amax amin max min maximum minimum fmax fmin median nanmedian mode kthvalue cummax cummin topk
        sort logsumexp
    """,
    "pass": """
        relu relu6 leaky_relu prelu rrelu elu celu selu gelu silu mish softplus softsign tanh sigmoid logsigmoid
        log_sigmoid hardtanh hardswish hardsigmoid hardshrink softshrink threshold dropout alpha_dropout feature_dropout
        feature_alpha_dropout clamp clamp_min clamp_max clip abs absolute neg negative positive exp exp2 expm1 log log1p log2 log10
        pow float_power square sqrt sin cos tan sinh cosh asin acos atan asinh acosh atanh arctan erf erfc erfinv sinc logit
        log_softmax round floor ceil trunc fix special_expit special_erf
    """,
    "norm": """
        batch_norm layer_norm group_norm instance_norm rms_norm
    """,
    "product": """
        mul multiply div divide true_divide prod
    """,
    "attention": """
        softmax matmul bmm einsum scaled_dot_product_attention
    """,
    "statistic": """
        linalg_vector_norm linalg_norm linalg_matrix_norm norm var std rsqrt reciprocal frobenius_norm sign sgn heaviside
        cdist pdist pairwise_distance embedding one_hot affine_grid_generator quantile nanquantile
    """,
    "size": """
        sym_size floordiv truediv mod zeros ones full arange empty new_zeros new_ones new_full new_empty zeros_like ones_like full_like
        empty_like fill zero
    """,
}

SHIFTED = frozenset({
    "sigmoid", "hardsigmoid", "special_expit", "exp", "exp2", "cos", "cosh", "erfc", "sinc", "softplus", "log_sigmoid", "logsigmoid",
    "acos",
})  # fmt: skip
"""Element-wise operations that are not zero at zero: c + f(x), whose constant keeps its share of relevance. Those made of straight
pieces (`clamp`, `threshold`) are not meant: where they change with the image they are the image."""

GATES = frozenset({"gelu", "silu", "mish", "hardswish"})
"""Element-wise operations x g(x) with a bounded g."""

NEVER_NEGATIVE = frozenset(
    {"relu", "relu6", "sigmoid", "hardsigmoid", "softmax", "abs", "square", "exp", "linalg_vector_norm"}
)
"""Operations whose results cannot be negative: what reads them may take a short cut. Leaving one out costs time only."""

KEEPS_SIGN = frozenset({
    "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d", "mean", "amax", "dropout", "feature_dropout",
    "view", "reshape", "flatten", "unflatten", "permute", "transpose", "squeeze", "unsqueeze", "slice", "select", "cat",
    "add", "mul", "expand", "roll",
})  # fmt: skip
"""Operations whose results cannot be negative where no argument is."""

KINDS: dict[str, str] = {target: kind for kind, row in TABLE.items() for target in row.split()}


def kind_of(operation: Operation) -> str | None:
    """The kind of an operation; None where the table has no entry. Arithmetic on sizes shares names with that on tensors."""
    if operation.target == "input":
        return "input"
    if not operation.tensor:
        return "size"
    if operation.selects:
        return "mask"
    kind = KINDS.get(operation.target)
    if operation.target == "index_put" and operation.args[3:4] == (True,):
        return "sum"  # writes on top of what is there
    if operation.target == "einsum" and is_linear(operation):
        return "linear"
    return "attention" if kind == "linear" and not is_linear(operation) else kind


def is_elementwise(operation: Operation) -> bool:
    """Whether each entry of the result depends on the same entry of the one input alone."""
    return kind_of(operation) == "pass" and operation.target != "log_softmax" and len(operation.inputs) == 1


def offset_of(operation: Operation) -> float | None:
    """The constant in an element-wise step, its value at zero with its own arguments; None where there is none."""
    of_exponent = operation.target in {"pow", "float_power"} and not isinstance(operation.args[0], Value)
    if operation.target not in SHIFTED and not of_exponent:
        return None
    args, kwargs = operation.arguments([torch.zeros((), dtype=torch.float64)])
    value = float(operation.function(*args, **kwargs))
    return value if math.isfinite(value) and value else None
