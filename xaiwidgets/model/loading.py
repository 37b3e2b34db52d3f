"""``load``: models by name from the places people keep them, with their own preprocessing and class names."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from torch import Tensor, nn

from xaiwidgets.errors import unknown
from xaiwidgets.model.arguments import timm_config
from xaiwidgets.model.image_model import ImageModel

OFFLINE = (
    "cannot be fetched here (no connection to {host}); give checkpoint='weights.safetensors' for weights on disk, "
    "pretrained=False for random ones, or load('demo:shapes-cnn'), which ships with the package"
)


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
        name: ``"demo:…"`` (ships with the package), ``"torchvision:…"`` or ``"timm:…"``.
        pretrained: fetch the library's default weights; not for demo models, whose weights are always there.
        checkpoint: weights on disk instead, a ``.safetensors`` file or a state dict that loads with
            ``weights_only=True``.
        device: where to put the model, such as ``"cuda"``; default: the CPU, or a GPU where one is at hand.
        options: passed on to the library's own constructor, such as ``num_classes=10``.

    Raises:
        ValueError: unknown name, with the nearest ones; a checkpoint that does not fit; a device that is not there.
        FileNotFoundError: no such checkpoint.
        ConnectionError: the weights cannot be fetched here.
    """
    source, _, model_name = str(name).partition(":")
    if not model_name or source not in _SOURCES:
        raise ValueError(
            f"name={name!r} needs its source: 'demo:shapes-cnn', 'torchvision:resnet18' or 'timm:vit_small_patch16_224'"
        )
    place = _device(device)
    path = None if checkpoint is None else _existing(Path(checkpoint))
    module, parts = _SOURCES[source](model_name, pretrained and path is None, options)
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


# -- one function a source: (name, pretrained, options) -> module and ImageModel's other arguments ---------------------


def _demo(name: str, pretrained: bool, options: dict[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    from xaiwidgets.demo.models import demo_names, load_demo

    if name not in demo_names():
        raise unknown("name", f"demo:{name}", [f"demo:{known}" for known in demo_names()])
    if options:
        raise TypeError(f"load('demo:{name}') takes no keyword {next(iter(options))!r}; demo models are as trained")
    module, spec = load_demo(name)
    parts = {"class_names": spec.class_names, "mean": spec.mean, "std": spec.std, "input_size": spec.input_size}
    return module, {**parts, "channels": spec.channels}


def _torchvision(name: str, pretrained: bool, options: dict[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise unknown("name", f"torchvision:{name}", [f"torchvision:{entry}" for entry in known])
    weights = models.get_model_weights(name).DEFAULT
    builder = models.get_model_builder(name)
    if not pretrained and name in ("googlenet", "inception_v3"):
        # These two warn unless told; their own initialisation takes half a minute, and random weights are random
        # anyway.
        options.setdefault("init_weights", False)
    if pretrained:
        host = urlsplit(weights.url).hostname or ""
        module = _fetch(name, host, lambda: builder(weights=weights, **options), cached=_in_torch_cache(weights.url))
    else:
        module = builder(weights=None, **options)
    transforms = weights.transforms()
    crop = list(transforms.crop_size)
    parts: dict[str, Any] = {
        "mean": tuple(transforms.mean),
        "std": tuple(transforms.std),
        "input_size": (crop[0], crop[-1]),
        "transform": transforms,
    }
    categories = weights.meta.get("categories")
    if categories and options.get("num_classes", len(categories)) == len(categories):
        parts["class_names"] = categories
    return module, parts


def _timm(name: str, pretrained: bool, options: dict[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    import timm
    from timm.data import create_transform

    if not timm.is_model(name.split(".", 1)[0]):
        raise unknown("name", f"timm:{name}", [f"timm:{entry}" for entry in timm.list_models()])
    if "." in name:
        tagged = timm.list_pretrained(f"{name.split('.', 1)[0]}.*")
        if name not in tagged:
            raise unknown("name", f"timm:{name}", [f"timm:{entry}" for entry in tagged])

    def create() -> nn.Module:
        return timm.create_model(name, pretrained=pretrained, **options)

    module = _fetch(name, _hub_host(), create, cached=_in_hub_cache(name)) if pretrained else create()
    config = timm_config(module, size=options.get("img_size"))
    parts: dict[str, Any] = {
        "mean": tuple(config["mean"]),
        "std": tuple(config["std"]),
        "input_size": tuple(config["input_size"][1:]),
        "channels": int(config["input_size"][0]),
    }
    if parts["channels"] in (1, 3):
        parts["transform"] = create_transform(**config, is_training=False)
    names = _timm_class_names(module)
    if names is not None:
        parts["class_names"] = names
    return module, parts


_SOURCES: dict[str, Callable[[str, bool, dict[str, Any]], tuple[nn.Module, dict[str, Any]]]] = {
    "demo": _demo,
    "torchvision": _torchvision,
    "timm": _timm,
}


def _timm_class_names(module: nn.Module) -> tuple[str, ...] | None:
    """ImageNet's names for models trained on one of its subsets; None for any other number of classes."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset(module)
    if subset is None:
        return None
    info = ImageNetInfo(subset)
    if info.num_classes() != getattr(module, "num_classes", None):
        return None
    # The first of the synonyms is the name people know.
    return tuple(info.index_to_description(index).split(",")[0] for index in range(info.num_classes()))


# -- weights -----------------------------------------------------------------------------------------------------------


def _fetch(name: str, host: str, get: Callable[[], Any], *, cached: bool) -> Any:
    """Call ``get``, turning what goes wrong without a connection into one clear error, at once."""
    message = f"weights of {name!r} " + OFFLINE.format(host=host)
    # The hub's own client tries for most of a minute before it gives up.
    if not cached and not _reachable(host):
        raise ConnectionError(message)
    try:
        return get()
    except (OSError, RuntimeError) as error:
        raise ConnectionError(f"{message}. Reported: {error}") from error


def _reachable(host: str) -> bool:
    """Whether a connection to ``host`` can be tried: directly, or over a proxy that resolves names itself."""
    if getproxies():
        return True
    try:
        with socket.create_connection((host, 443), timeout=5):
            return True
    except OSError:
        return False


def _in_torch_cache(url: str) -> bool:
    return (Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(url).path).name).is_file()


def _in_hub_cache(name: str) -> bool:
    import timm
    from huggingface_hub import try_to_load_from_cache

    config = timm.get_pretrained_cfg(name)
    repository = config.hf_hub_id if config is not None else None
    if config is None or not repository:
        return False
    # A bare "timm/" stands for the repository named after the model and its tag.
    if config is not None and repository.endswith("/"):
        repository = f"{repository}{config.architecture}.{config.tag}"
    files = ("model.safetensors", "pytorch_model.bin")
    return any(isinstance(try_to_load_from_cache(repository, file), str) for file in files)


def _hub_host() -> str:
    from huggingface_hub import constants

    return urlsplit(constants.ENDPOINT).hostname or ""


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
    state = _unwrapped(state, path)
    own = module.state_dict()
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


def _unwrapped(state: Any, path: Path) -> dict[str, Tensor]:
    """The state dict itself: training scripts wrap it in a dict, and data-parallel ones prefix its keys."""
    for wrapper in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"checkpoint={str(path)!r} holds no state dict of tensors; save module.state_dict()")
    return {key.removeprefix("module."): value for key, value in state.items()}
