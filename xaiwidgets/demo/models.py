"""The small trained models that ship with the package: how they are built and where their weights are.

`shapes-cnn` and `shapes-vit` were trained on clean shapes; `shapes-hans` is the network of `shapes-cnn`, trained on
pictures in which the class `TAGGED_CLASS` carries a tag, and so learned the tag instead of the shape.
`python -m xaiwidgets.demo.train` makes the weights again.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import safe_open
from torch import Tensor, nn

from xaiwidgets.errors import unknown

__all__ = ["DemoSpec", "build", "demo_names", "load_demo", "read_weights", "shapes_cnn", "weights_path"]

_BUILDERS: Final = {"shapes-cnn": "cnn", "shapes-vit": "vit", "shapes-hans": "cnn"}
_FORMAT: Final = "1"


@dataclass(frozen=True)
class DemoSpec:
    """What a demo model expects and how good it is, read from the header of its weights.

    `mean`, `std` per channel of pixel values in [0, 1]; `input_size` (H, W); `accuracy` on held-out pictures by the
    name of the test (shares in [0, 1]); `training` how the weights were made.
    """

    name: str
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    input_size: tuple[int, int]
    channels: int
    accuracy: dict[str, float]
    training: dict[str, Any]


def demo_names() -> tuple[str, ...]:
    """Names that `load_demo` takes."""
    return tuple(_BUILDERS)


def shapes_cnn(classes: int = 8) -> nn.Sequential:
    """Six 3 x 3 convolutions with batch norm and ReLU, three poolings, global average, an embedding, a classifier.

    (N, 3, H, W) to (N, classes) scores, any H and W from 16 on; the embedding in front of the classifier is (N, 64).
    """
    features: OrderedDict[str, nn.Module] = OrderedDict()
    before = 3
    for number, width in enumerate((16, 32, 32, 64, 64, 96), start=1):
        features[f"conv{number}"] = nn.Conv2d(before, width, 3, padding=1, bias=False)
        features[f"norm{number}"] = nn.BatchNorm2d(width)
        features[f"relu{number}"] = nn.ReLU()
        if number in (1, 3, 5):
            features[f"pool{number}"] = nn.MaxPool2d(2)
        before = width
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(features),
            average=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            embedding=nn.Linear(before, 64),
            relu=nn.ReLU(),
            classifier=nn.Linear(64, classes),
        )
    )


def shapes_vit(classes: int = 8) -> nn.Module:
    """timm's vision transformer at 64 x 64: 64 patches of 8 x 8 and a class token, 96 wide, 4 blocks of 4 heads.

    (N, 3, 64, 64) to (N, classes) scores; the class token in front of the classifier is (N, 96).
    """
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(
        img_size=64, patch_size=8, num_classes=classes, embed_dim=96, depth=4, num_heads=4, mlp_ratio=4.0
    )


def build(name: str, classes: int = 8) -> nn.Module:
    """The untrained module of a demo model, in training mode.

    Raises ValueError for a name that is not one of `demo_names()`.
    """
    if name not in _BUILDERS:
        raise unknown("demo model name", name, _BUILDERS)
    return shapes_cnn(classes) if _BUILDERS[name] == "cnn" else shapes_vit(classes)


def weights_path(name: str, folder: str | Path | None = None) -> Path:
    """File of a demo model's weights, in the package or in another folder."""
    if name not in _BUILDERS:
        raise unknown("demo model name", name, _BUILDERS)
    return (Path(folder) if folder is not None else Path(__file__).parent / "weights") / f"{name}.safetensors"


def load_demo(name: str, folder: str | Path | None = None) -> tuple[nn.Module, DemoSpec]:
    """A trained demo model in eval mode (float32, CPU) and its specification; a new module at each call.

    `folder` takes the weights from elsewhere, such as `--out` of the training.

    Raises ValueError for an unknown name or a file of another format, FileNotFoundError where the weights are missing.
    """
    tensors, spec = read_weights(weights_path(name, folder), name, f"python -m xaiwidgets.demo.train --model {name}")
    with torch.random.fork_rng(
        devices=[]
    ):  # initial values are overwritten; the caller's random stream must not notice
        module = build(name, len(spec.class_names))
    module.load_state_dict(tensors)
    return module.eval(), spec


def read_weights(path: Path, name: str, command: str) -> tuple[dict[str, Tensor], DemoSpec]:
    """The tensors of a file of weights, float32, and the specification in its header. `command` makes the file.

    Raises ValueError for a file of another format or model, FileNotFoundError where it is missing.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing. Install xaiwidgets again, or make the weights: {command}")
    tensors: dict[str, Tensor] = {}
    with safe_open(str(path), framework="pt") as file:
        header = file.metadata() or {}
        if header.get("format") != _FORMAT or header.get("name") != name:
            raise ValueError(
                f"{path} holds {header.get('name')!r} in format {header.get('format')!r}, "
                f"not {name!r} in format {_FORMAT!r}. "
                f"Make it again: {command}"
            )
        for key in file.keys():  # noqa: SIM118  (the file is no mapping)
            tensor = file.get_tensor(key)
            tensors[key] = tensor.float() if tensor.is_floating_point() else tensor
    return tensors, _spec(header)


def _spec(header: dict[str, str]) -> DemoSpec:
    data = json.loads(header["spec"])
    height, width = data["input_size"]
    return DemoSpec(
        name=header["name"],
        class_names=tuple(data["class_names"]),
        mean=tuple(data["mean"]),
        std=tuple(data["std"]),
        input_size=(height, width),
        channels=len(data["mean"]),
        accuracy=dict(data["accuracy"]),
        training=dict(data["training"]),
    )


def header_of(spec: DemoSpec) -> dict[str, str]:
    """The safetensors header that `load_demo` reads `spec` back from."""
    data = {
        "class_names": spec.class_names,
        "mean": spec.mean,
        "std": spec.std,
        "input_size": spec.input_size,
        "accuracy": spec.accuracy,
        "training": spec.training,
    }
    return {"format": _FORMAT, "name": spec.name, "spec": json.dumps(data)}
