"""Operations in the words of those who write models: what a step is called, and why relevance has no way through it."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from xaiwidgets.graph import Operation

__all__ = ["advice", "said"]

# ATen name -> what people write.
NAMES: dict[str, str] = {
    "lstm": "nn.LSTM",
    "gru": "nn.GRU",
    "rnn_tanh": "nn.RNN",
    "rnn_relu": "nn.RNN",
    "lstm_cell": "nn.LSTMCell",
    "gru_cell": "nn.GRUCell",
    "rnn_tanh_cell": "nn.RNNCell",
    "rnn_relu_cell": "nn.RNNCell",
    "grid_sampler": "F.grid_sample",
    "col2im": "F.fold",
    "im2col": "F.unfold",
    "index": "x[positions]",
    "index_put": "x[positions] = values",
    "cdist": "torch.cdist",
    "spectral": "torch.fft",
}
RECURRENT = frozenset(name for name, words in NAMES.items() if words.startswith(("nn.LSTM", "nn.GRU", "nn.RNN")))
RANDOM = ("rand", "bernoulli", "multinomial", "normal", "uniform", "exponential", "dropout")


def said(operation: Operation) -> str:
    """How people write it: "nn.LSTM", "torch.cumprod", "F.grid_sample"."""
    target = operation.target.partition(".")[0] if "." in operation.target else operation.target
    if operation.target in NAMES:
        return NAMES[operation.target]
    for prefix, place in (("fft_", torch.fft), ("linalg_", torch.linalg), ("special_", torch.special)):
        name = target.removeprefix(prefix)
        if target.startswith(prefix) and hasattr(place, name):
            return f"torch.{prefix[:-1]}.{name}"
    if "." in operation.target:
        return operation.target
    for home, called in ((torch, "torch"), (F, "F"), (torch.Tensor, "Tensor")):
        if hasattr(home, target):
            return f"{called}.{target}"
    return target


def advice(operation: Operation) -> str:
    """Why there is no rule, and what to do."""
    name, target = said(operation), operation.target
    if target in RECURRENT:
        why = f"{name} is recurrent, and relevance has no rule through recurrent layers here"
    elif operation.dtype is not None and operation.dtype.is_complex:
        why = (
            f"{name} computes with complex numbers, which relevance passes only where all of the way from real numbers to real numbers "
            "is linear (torch.fft, products with constants, .real and .imag, but no magnitudes)"
        )
    elif target.startswith(RANDOM):
        why = f"{name} is random also in evaluation mode: no two explanations would be of one function"
    elif "." in target and not target.rpartition(".")[2].isdigit():
        why = f"{name} is an operator that its library brought, whose inner steps are not seen"
    else:
        why = f"{name} has no rule"
    return (
        f"{why}: explain a module that ends before it, give a rule as Composite(treatments={{{target!r}: …}}), "
        "or use what needs no rules (RELAX, RISE, Occlusion)"
    )
