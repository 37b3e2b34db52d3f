"""``load``: models by name from the places people keep them, with their own preprocessing and class names."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xaiwidgets.model.image_model import ImageModel
from xaiwidgets.model.sources import SOURCES

__all__ = ["load"]


def load(
    name: str,
    *,
    pretrained: bool = True,
    checkpoint: str | Path | None = None,
    device: torch.device | str | None = None,
    **options: Any,
) -> ImageModel:
    """A model by name, in evaluation mode, with the transforms and class names of the library it comes from.

    Args:
        name: ``"demo:…"`` (ships with the package), ``"torchvision:…"``, ``"timm:…"``, ``"hf:…"`` (transformers: a repository, or a
            folder that ``save_pretrained`` wrote) or ``"photos:efficientnet-lite0"`` (ImageNet weights from a package).
        pretrained: fetch the library's default weights; not for demo models, whose weights are always there.
        checkpoint: weights on disk instead, a ``.safetensors`` file or a state dict that loads with
            ``weights_only=True``.
        device: where to put the model, such as ``"cuda"``; default: the CPU, or a GPU where one is at hand.
        options: passed on to the library's own constructor, such as ``num_classes=10``.

    Raises:
        ValueError: unknown name, with the nearest ones; a checkpoint that does not fit; a device that is not there.
        FileNotFoundError: no such checkpoint.
        ConnectionError: the weights cannot be fetched here.
        ModuleNotFoundError: an extra that the source needs is not installed; says which.

    Example:
        >>> model = xw.load("demo:shapes-cnn")
        >>> model.class_names[:3], model.input_size
        (('circle', 'square', 'triangle'), (64, 64))
    """
    source, _, model_name = str(name).partition(":")
    if not model_name or source not in SOURCES:
        raise ValueError(
            f"name={name!r} needs its source: 'demo:shapes-cnn', 'torchvision:resnet18', 'timm:vit_small_patch16_224', "
            "'hf:google/vit-base-patch16-224' or 'photos:efficientnet-lite0'"
        )
    place = _device(device)
    path = None if checkpoint is None else _existing(Path(checkpoint))
    module, parts = SOURCES[source](model_name, pretrained and path is None, options)
    if path is not None:
        _load_weights(module, path)
    module.eval()
    module.to(place)
    return ImageModel(module, name=name, **parts)


def _device(given: torch.device | str | None) -> torch.device:
    """The device a person names, if it is there.

    Raises:
        ValueError: no such device, with those there are.
    """
    here = [
        "cpu",
        *(["cuda"] if torch.cuda.is_available() else []),
        *(["mps"] if torch.backends.mps.is_available() else []),
    ]
    if given is None:
        return torch.device("cuda" if "cuda" in here else "cpu")
    try:
        device = torch.device(given)
        torch.empty(0, device=device)
    except Exception as error:  # torch raises assertions, runtime and type errors for what is not there
        raise ValueError(f"device={given!r} is not to be had here; choose from {', '.join(map(repr, here))}") from error
    return device


# -- weights -----------------------------------------------------------------------------------------------------------


def _existing(path: Path) -> Path:
    path = path.expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint={str(path)!r} is no file (looked in {Path.cwd()}); check the path")
    return path


def _load_weights(module: nn.Module, path: Path) -> None:
    """Load a state dict, in whole or not at all."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"checkpoint={str(path)!r} cannot be read as plain weights ({type(error).__name__}); "
            "save module.state_dict(), best with safetensors.torch.save_file"
        ) from error
    own = module.state_dict()
    state = _unwrapped(state, path, own)
    if state.keys() != own.keys() and hasattr(module, "save_pretrained"):
        state = _renamed(module, state)
    # Counts of training steps, which old files do not have and nobody computes with; torch loads such files as well.
    state = {key: own[key] for key in own if key.endswith("num_batches_tracked")} | state
    missing = [key for key in own if key not in state]
    extra = [key for key in state if key not in own]
    shapes = [key for key in own if key in state and own[key].shape != state[key].shape]
    if missing or extra or shapes:
        said = "; ".join(
            f"{len(keys)} {what}, such as {keys[0]!r}"
            for what, keys in (("missing", missing), ("not in the model", extra), ("of another shape", shapes))
            if keys
        )
        raise ValueError(
            f"checkpoint={str(path)!r} does not fit {type(module).__name__}: {said}; "
            "check the model's name and num_classes"
        )
    module.load_state_dict(state)


def _renamed(module: Any, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same under a transformers model's own names, where the library saves under others and knows how to read them."""
    options = {"config": module.config, "state_dict": state, "output_loading_info": True}
    read, report = type(module).from_pretrained(None, **options)
    fits = not any(report.get(kind) for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"))
    return dict(read.state_dict()) if fits else state


WRAPPERS = (
    "state_dict", "model_state_dict", "model", "net", "state_dict_ema", "model_ema", "weights", "params", "ema", "student",
)  # fmt: skip
"""The names under which training scripts keep a state dict beside optimisers and epochs."""
PREFIXES = ("module.", "model.", "net.", "_orig_mod.", "network.", "backbone.", "encoder.")
"""What data-parallel training, Lightning, `torch.compile` and training scripts put before every name."""


def _unwrapped(state: Any, path: Path, own: Collection[str]) -> dict[str, Tensor]:
    """The state dict itself, by the names of the module (`own`) wherever taking a common prefix off leads to them."""
    while isinstance(state, dict):
        wrapper = next((name for name in WRAPPERS if isinstance(state.get(name), dict)), None)
        if wrapper is None:
            break
        state = state[wrapper]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"checkpoint={str(path)!r} holds no state dict of tensors; save module.state_dict()")
    found = state
    while found and not any(key in own for key in found):
        prefix = next((prefix for prefix in PREFIXES if any(key.startswith(prefix) for key in found)), None)
        if prefix is None:
            return state
        # Lightning keeps losses and metrics beside the model, under names of their own.
        found = {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}
    return found
