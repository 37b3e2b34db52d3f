"""The operations the engine knows, by kind, and what else is known of them. Adding one is adding its ATen name to a row of `TABLE`;
to that of `AT_ZERO` too where it is element-wise and not zero at zero.

What a kind means for relevance (a composite may say otherwise for any of them):

    linear      weights times inputs: the composite's rule
    move        entries change place, none changes value: relevance moves back
    sum         relevance is shared in proportion to the addends
    winner      the largest entry takes all
    pass        element by element: relevance passes unchanged
    norm        normalisation: its statistic is held constant
    product     of two activations: half each; an activation times a constant: all to the activation
    attention   products of matrices and the softmax between them
    statistic   a summary by which others are scaled: held constant, takes no relevance
    size        a number that depends on the batch size only
"""

from __future__ import annotations

from torch import Tensor

from xaiwidgets.graph.operation import Operation

__all__ = ["AT_ZERO", "KEEPS_SIGN", "KINDS", "NEVER_NEGATIVE", "TABLE", "kind_of", "offset_of"]

TABLE: dict[str, str] = {
    "linear": """
        conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d linear
    """,
    "move": """
        view reshape flatten unflatten permute transpose t swapaxes movedim squeeze unsqueeze expand expand_as view_as
        reshape_as slice select narrow index index_select getitem cat concat concatenate stack roll flip pad constant_pad_nd
        repeat tile pixel_shuffle pixel_unshuffle channel_shuffle unfold im2col split chunk unbind gather diagonal to
        masked_fill
    """,
    "sum": """
        add sub rsub mean sum avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d
        adaptive_avg_pool3d upsample_nearest2d upsample_bilinear2d upsample_bicubic2d
    """,
    "winner": """
        max_pool1d max_pool2d max_pool3d adaptive_max_pool2d amax maximum
    """,
    "pass": """
        relu relu6 leaky_relu prelu rrelu elu celu selu gelu silu mish softplus softsign tanh sigmoid logsigmoid
        log_sigmoid hardtanh hardswish hardsigmoid hardshrink softshrink threshold dropout alpha_dropout feature_dropout
        clamp clamp_min clamp_max abs neg exp log pow square sqrt sin cos tan erf addcmul where log_softmax
    """,
    "norm": """
        batch_norm layer_norm group_norm instance_norm rms_norm
    """,
    "product": """
        mul div
    """,
    "attention": """
        softmax matmul bmm einsum scaled_dot_product_attention
    """,
    "statistic": """
        linalg_vector_norm norm var std rsqrt reciprocal frobenius_norm zeros_like ones_like
    """,
    "size": """
        sym_size floordiv truediv mod zeros ones full arange empty new_zeros new_ones new_full
    """,
}

AT_ZERO: dict[str, float] = {"sigmoid": 0.5, "hardsigmoid": 0.5, "softplus": 0.6931471805599453, "exp": 1.0, "cos": 1.0}
"""The value at zero of element-wise operations where it is not zero: a constant that keeps its share of relevance."""

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
    return KINDS.get(operation.target)


def offset_of(operation: Operation) -> Tensor | float | None:
    """The constant in an element-wise step: its value at zero, or an added tensor; None where there is none."""
    if operation.target == "addcmul":
        return operation.args[0] if isinstance(operation.args[0], Tensor) else None
    return AT_ZERO.get(operation.target)
