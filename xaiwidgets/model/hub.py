"""Weights from elsewhere: fetched with one clear error where that is not possible, and the models of transformers."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from torch import nn

__all__ = ["fetch", "hub_host", "hugging_face", "in_hub_cache", "in_torch_cache"]

OFFLINE = (
    "cannot be fetched here (no connection to {host}); give checkpoint='weights.safetensors' for weights on disk, "
    "pretrained=False for random ones, or load('demo:shapes-cnn'), which ships with the package"
)


def fetch(name: str, host: str, get: Callable[[], Any], *, cached: bool, hint: str = OFFLINE) -> Any:
    """Call ``get``, turning what goes wrong without a connection into one clear error, at once.

    Raises:
        ConnectionError: with the hint, whose {host} is filled in.
    """
    message = f"weights of {name!r} " + hint.format(host=host)
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


def in_torch_cache(url: str) -> bool:
    return (Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(url).path).name).is_file()


def in_hub_cache(name: str) -> bool:
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


def hub_host() -> str:
    from huggingface_hub import constants

    return urlsplit(constants.ENDPOINT).hostname or ""


# -- transformers ------------------------------------------------------------------------------------------------------

OFFLINE_HERE = (
    "cannot be fetched here (no connection to {host}); give a folder that save_pretrained wrote, as load('hf:folder'), "
    "build the module from a configuration and give ImageModel(module), or load('demo:shapes-cnn'), which ships with the package"
)
FOR_THE_HUB = ("revision", "cache_dir", "token", "subfolder")


def hugging_face(name: str, pretrained: bool, options: dict[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    """A transformers model with its processor, from its repository's name, or from a folder that `save_pretrained` wrote.

    Weights are taken from safetensors only, and no code that comes with a model is run.

    Raises:
        ModuleNotFoundError: no transformers. FileNotFoundError: no such folder. ConnectionError: cannot be fetched here.
        ValueError: a folder without weights, or a model that this version of transformers does not know.
    """
    library = _transformers(name)
    folder = Path(name).expanduser()
    if not folder.is_dir() and name.startswith(("/", ".", "~")):
        raise FileNotFoundError(f"name='hf:{name}' is no folder (looked in {Path.cwd()}); check the path")
    place, local = (str(folder), True) if folder.is_dir() else (name, False)
    where = {key: value for key, value in options.items() if key in FOR_THE_HUB}

    def get(make: Callable[[], Any], file: str) -> Any:
        if local:
            return _from_folder(make, folder, file)
        return fetch(f"hf:{name}", hub_host(), make, cached=_hub_has(name, file), hint=OFFLINE_HERE)

    settings = options if not pretrained else where
    config = get(lambda: library.AutoConfig.from_pretrained(place, **settings), "config.json")
    kind = _class_of(library, config, name)
    if pretrained:
        read = lambda: kind.from_pretrained(place, use_safetensors=True, **options)  # noqa: E731
        module = get(read, "model.safetensors")
    else:
        module = kind.from_config(config) if hasattr(kind, "from_config") else kind(config)
    return module, {"processor": _processor(library, place, where, local or _hub_has(name, "preprocessor_config.json"))}


def _transformers(name: str) -> Any:
    try:
        import transformers
    except ImportError as error:
        raise ModuleNotFoundError(
            f"load('hf:{name}') needs transformers, which is not installed: pip install 'xaiwidgets[hf]'"
        ) from error
    return transformers


def _class_of(library: Any, config: Any, name: str) -> Any:
    """The class that a model was saved as."""
    named = (getattr(config, "architectures", None) or [None])[0]
    if named is None:
        return library.AutoModelForImageClassification if config.model_type == "timm_wrapper" else library.AutoModel
    kind = getattr(library, named, None)
    if kind is None:
        raise ValueError(
            f"'hf:{name}' is a {named}, which transformers {library.__version__} does not have; install a version that has, or "
            "build the module yourself and give ImageModel(module, processor=…)"
        )
    return kind


def _processor(library: Any, place: str, where: dict[str, Any], there: bool) -> Any:
    """The model's processor, with its tokenizer where it has one; None where none came along."""
    for kind in (library.AutoProcessor, library.AutoImageProcessor) if there else ():
        try:
            found = kind.from_pretrained(place, **where)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, ImportError):
            continue
        if hasattr(found, "image_processor") or hasattr(found, "image_mean") or hasattr(found, "preprocess"):
            return found
    return None


def _from_folder(make: Callable[[], Any], folder: Path, file: str) -> Any:
    if file == "config.json" and not (folder / file).is_file():
        raise ValueError(f"folder {folder} has no {file}; give one that save_pretrained wrote")
    try:
        return make()
    except OSError as error:
        here = ", ".join(sorted(entry.name for entry in folder.iterdir())) or "nothing"
        raise ValueError(
            f"folder {folder} has no weights in safetensors, it holds {here}; save the module anew, "
            "module.save_pretrained(folder, safe_serialization=True)"
        ) from error


def _hub_has(name: str, file: str) -> bool:
    """Whether a file of a repository is in the cache of this machine."""
    from huggingface_hub import try_to_load_from_cache

    try:
        return isinstance(try_to_load_from_cache(name, file), str)
    except ValueError:  # no name of a repository at all; the library says so itself
        return True
