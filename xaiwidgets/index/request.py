"""What an index is of: fingerprints of the model, its weights, the composite and the data set, and all that shapes the tables.

A request is plain data. Two builds with equal requests give the same bits; a folder takes only one request.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Mapping, Sequence
from math import inf, prod
from typing import Any

import torch
from torch import Tensor

from xaiwidgets.crp.explainer import CRP
from xaiwidgets.errors import unknown, whole, whole_or_none
from xaiwidgets.index.data import Samples
from xaiwidgets.index.topk import Layout, tables
from xaiwidgets.model import ImageModel
from xaiwidgets.model.fingerprint import described, module_text, steps_of, text_hash, weights_hash
from xaiwidgets.targets import class_count, gives_maps

__all__ = ["TARGETS", "check_same", "difference", "explainer_fingerprint", "layout_of", "make_request"]

FORMAT = 2
"""2: class entries are bounded and by sample, whole numbers narrow. 1: every class's best, in columns of its own; it can still be read."""
TARGETS = ("label", "predicted")
Request = dict[str, Any]
_MANY_CLASSES = 100
_FEW_EACH = 10
_MEGABYTES = 256
_hashes: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


def make_request(
    crp: CRP,
    samples: Samples,
    *,
    layers: Sequence[str] | None = None,
    top: int = 40,
    class_top: int | None = None,
    batch: int | None = None,
    targets: str = "label",
    shares: bool = False,
    megabytes: float | None = None,
) -> Request:
    """The request of a build.

    Raises:
        ValueError: unknown layer or way of choosing targets, or a number out of range; fewer megabytes than the best of one class take.
    """
    if targets not in TARGETS:
        raise unknown("targets", targets, TARGETS)
    top, batch = whole("top", top, 1), whole("batch", crp.batch if batch is None else batch, 1, also=", or None")
    class_top = whole_or_none("class_top", class_top, 1)
    if targets == "label" and not samples.labelled:
        warnings.warn("the data set has no labels; the predicted class of each image is explained", stacklevel=4)
        targets = "predicted"
    first = samples.take([0])
    known = crp.known(first)
    classes = _count(crp.model, first)
    names = crp.model.class_names or getattr(samples.dataset, "classes", None) or ()
    if class_top is None:
        class_top = top if classes <= _MANY_CLASSES else min(top, _FEW_EACH)
    request = {
        "format": FORMAT,
        **explainer_fingerprint(crp, first),
        "dataset": {"length": samples.length, "fingerprint": samples.fingerprint()},
        "image": list(samples.shape),
        "layers": [_layer(name, known[name]) for name in _chosen(layers, known.names)],
        "classes": classes,
        "class_names": [str(name) for name in names] if len(names) == classes else [],
        "targets": targets,
        "top": top,
        "class_top": class_top,
        "batch": batch,
        "shares": bool(shares),
        "device": first.device.type,
    }
    return request | {"entries": _entries(request, megabytes)}


def layout_of(request: Request) -> Layout:
    """What the tables of a request are cut to."""
    return Layout(
        units=sum(entry["units"] for entry in request["layers"]),
        top=request["top"],
        class_top=request["class_top"],
        entries=request["entries"],
        samples=request["dataset"]["length"],
        classes=request["classes"],
        positions=max(prod(entry["space"]) for entry in request["layers"]),
    )


def _entries(request: Request, megabytes: float | None) -> int:
    """Explanations kept of each concept, all classes together, so that the tables take no more than so many megabytes; by default never
    fewer than the best of one class, however many concepts there are."""
    given = _MEGABYTES if megabytes is None else megabytes
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < inf:
        raise ValueError(f"megabytes={megabytes!r} must be a number above 0, or None for {_MEGABYTES}")
    one = layout_of(request | {"entries": request["class_top"]})
    fits = int(given * 10**6) // (len(tables()) * one.units * one.entry_bytes) - one.top
    if megabytes is not None and fits < one.class_top:
        raise ValueError(
            f"megabytes={megabytes} is too small: the best {one.top} of {one.units} concepts and {one.class_top} of one class take "
            f"{one.most_bytes / 10**6:.3g}; give more, fewer layers, or a smaller top or class_top"
        )
    # No more than there can be, so that a bound that cuts nothing leaves no trace.
    return min(max(fits, one.class_top), one.class_top * one.classes)


def _count(model: ImageModel, x: Tensor) -> int:
    """How many classes a sample can be explained for."""
    output = model.output(x)
    if output.ndim == 2:
        return model.scores(x).shape[1]
    plain = gives_maps(model, output) and model.meaning == "values"
    # Of queries a last column may stand for "nothing", which has no name.
    count = len(model.class_names or ()) if output.ndim == 3 else None
    found = None if plain or model.detects else count or class_count(model, output)
    if found is None:
        shape = ", ".join(["N", *map(str, output.shape[1:])])
        raise ValueError(
            f"{model.name} gives ({shape}), which has no classes; an index needs scores (N, classes), maps (N, classes, H, W) or queries "
            "(N, queries, classes)"
        )
    return found


def explainer_fingerprint(crp: CRP, x: Tensor) -> Request:
    """What tells one explainer from another, for images of x's size: model, weights, composite, concepts."""
    graph = crp.propagator(x).graph
    # A model whose weights change gets a new graph, so the graph stands for the weights it was made from.
    if graph not in _hashes:
        _hashes[graph] = weights_hash(crp.model.module, graph)
    model = f"{module_text(crp.model.module)} {crp.model.mean} {crp.model.std} {steps_of(graph)}"
    return {
        "model": {"name": crp.model.name, "structure": text_hash(model)},
        "weights": _hashes[graph],
        "composite": {
            "name": crp.composite.name,
            "rules": text_hash(described(crp.composite)),
            "start": crp.start,
            "precision": crp.precision,
        },
        "concepts": {name: text_hash(described(concept)) for name, concept in crp.own_concepts.items()},
    }


def check_same(begun: Request, crp: CRP, samples: Samples | None, subject: str) -> None:
    """Raise ValueError where an explainer, or a data set, is not that of a request.

    subject: what the request is of, for the message.
    """
    asked = explainer_fingerprint(crp, torch.zeros(1, *begun["image"], device=crp.model.device))
    if samples is not None:
        asked["dataset"] = {"length": samples.length, "fingerprint": samples.fingerprint()}
    found = difference(begun, asked)
    if found:
        raise ValueError(f"{subject} is of {found}; give what it was built with, or build another")


_NAMES = {
    "format": "another version of the format",
    "model": "another model",
    "weights": "other weights",
    "composite": "another composite",
    "concepts": "other concepts",
    "dataset": "another data set",
    "image": "images of another size",
    "layers": "other layers",
    "device": "another kind of device",
}


def difference(begun: Mapping[str, Any], asked: Mapping[str, Any]) -> str | None:
    """In words, what keeps a request from going on with what was begun for another; None where they agree.

    Only what `asked` names is compared.
    """
    length, now = begun["dataset"]["length"], asked.get("dataset", begun["dataset"])["length"]
    if "format" in asked and begun["format"] != asked["format"]:
        # All else may be named otherwise there.
        return f"{_NAMES['format']} ({begun['format']}; this is {asked['format']})"
    found = []
    for key, value in asked.items():
        if begun.get(key) == value:
            continue
        if key == "dataset" and length != now:
            found.append(f"a data set of {length} samples (this one has {now})")
        elif key in {"model", "composite"}:
            found.append(f"{_NAMES[key]} ({begun[key]['name']}; this is {value['name']})")
        else:
            found.append(_NAMES.get(key, f"{key}={begun.get(key)!r} (asked: {value!r})"))
    return ", ".join(found) or None


def _chosen(layers: Sequence[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    if layers is None:
        return known
    if isinstance(layers, str) or not layers:
        raise ValueError(f"layers={layers!r}; give a list of names of layers, or None for all {len(known)}")
    # The order of the model, whatever the order asked: the tables do not depend on it.
    return tuple(sorted(dict.fromkeys(layers), key=lambda name: known.index(name) if name in known else len(known)))


def _layer(name: str, concept: Any) -> Request:
    space = getattr(concept, "space", None)
    return {
        "name": name,
        "units": concept.units,
        # Where a concept has no space of its own, positions are places in the layer's value.
        "space": list(getattr(concept, "shape", ()) if space is None else space),
    }
