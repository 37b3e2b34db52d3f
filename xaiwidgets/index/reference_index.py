"""The reference index: for every concept, the samples of a data set that show it best."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from xaiwidgets.crp.explainer import CRP
from xaiwidgets.errors import unknown, whole
from xaiwidgets.index.build import Plan, run
from xaiwidgets.index.data import Samples
from xaiwidgets.index.reading import FORMATS, Tables
from xaiwidgets.index.request import check_same, difference, make_request
from xaiwidgets.index.results import ClassUse, References
from xaiwidgets.index.topk import KINDS, POOLS
from xaiwidgets.results import Provenance
from xaiwidgets.storage import Folder, lock

__all__ = ["Progress", "ReferenceIndex"]


@dataclass(frozen=True)
class Progress:
    """How far a build is. `index` is there when it is finished."""

    done: int
    total: int
    images_per_second: float
    seconds_left: float
    index: ReferenceIndex | None = None


class ReferenceIndex:
    """For every concept of every layer, the samples of a data set that show it best: RelMax by relevance for the sample's class,
    ActMax by activation (arXiv 2206.03208, section "Relevance Maximization"), overall and for each class.

    Made by `build`, opened by `open`, which needs neither the model nor the data set.

    Attributes:
        path: the folder. layers: names of its layers. samples: how many samples. class_names: of the model's classes.
        targets: "label" or "predicted": which class of a sample was explained. request: all that shaped the tables, as plain data.
        fingerprint: of model, weights, composite, data set and settings.

    Example:
        >>> index = xw.ReferenceIndex.build(xw.CRP(model), xw.demo.Shapes(16), folder, layers=["features.conv6"])
        >>> index.top("features.conv6", 3, n=4).samples.shape
        torch.Size([4])
    """

    def __init__(self, folder: Folder) -> None:
        assert folder.request is not None
        assert folder.whole is not None
        self.path, self.request = folder.path, folder.request
        self._tables = Tables(folder.read(folder.whole), self.request["format"])
        self._rows: dict[str, slice] = {}
        self._space: dict[str, tuple[int, ...]] = {}
        end = 0
        for entry in self.request["layers"]:
            begin, end = end, end + entry["units"]
            self._rows[entry["name"]] = slice(begin, end)
            self._space[entry["name"]] = tuple(entry["space"])

    # -- making and opening ------------------------------------------------------------------------------------------

    @classmethod
    def build(  # noqa: PLR0917 - these are the public face
        cls,
        crp: CRP,
        dataset: Any,
        path: str | os.PathLike[str],
        layers: Sequence[str] | None = None,
        top: int = 40,
        executor: Executor | Any = None,
        *,
        progress: bool | Callable[[Progress], object] = True,
        **settings: Any,
    ) -> ReferenceIndex:
        """Explain every sample of a data set and keep the best of each concept, in the folder `path`.

        A build that was interrupted, or whose files were damaged, goes on where it was when called again.

        Args:
            dataset: map-style, dataset[i] -> (image, label): an image tensor (C, H, W) as the model takes it, or a PIL picture. Label: a
                class or its name; a list or set of classes, or a multi-hot vector, for one explanation a class; an empty one for none.
            layers: names; None for all that have concepts.
            top: samples kept of each concept.
            executor: any ``concurrent.futures.Executor``, such as ``dask.distributed.Client(...).get_executor()``, or the Dask client
                itself, which sends the model to each worker once instead of with every shard; None computes here.
            progress: show a bar; or a function that is called with a `Progress` now and then.
            settings: of `stream`: class_top, batch, shard, targets, shares, workers, megabytes.

        Raises:
            TypeError: no CRP, data set or folder.
            ValueError: the folder holds an index of something else; unknown layer; labels or images that do not fit.
            RuntimeError: another process is building there.
            OSError: disk full or read-only folder; what was there is kept.
        """
        steps = cls.stream(crp, dataset, path, layers, top, executor, **settings)
        shown = progress is True
        with contextlib.closing(steps), tqdm(desc="Reference index", unit=" images", delay=1, disable=not shown) as bar:
            for step in steps:
                if callable(progress):
                    progress(step)
                bar.total = step.total
                if not bar.n:
                    bar.initial = bar.last_print_n = bar.n = step.done
                bar.update(step.done - bar.n)
        assert step.index is not None
        return step.index

    @classmethod
    def stream(  # noqa: PLR0917 - as build
        cls,
        crp: CRP,
        dataset: Any,
        path: str | os.PathLike[str],
        layers: Sequence[str] | None = None,
        top: int = 40,
        executor: Executor | Any = None,
        *,
        class_top: int | None = None,
        batch: int | None = None,
        shard: int = 512,
        targets: str = "label",
        shares: bool = False,
        workers: int = 0,
        megabytes: float | None = None,
    ) -> Generator[Progress, None, None]:
        """`build` step by step: a `Progress` after each batch (each shard with an executor), the last one with the index. Closing the
        generator stops the build; what is finished is kept, and the next call goes on from there.

        Args:
            class_top: samples kept of each concept and class; default: as `top`, but 10 where there are more than 100 classes.
            batch: images at once; default: the explainer's. Part of what the index is: the last bits of scores may depend on it.
            shard: images after which results are written; what a kill loses at most. The result does not depend on it.
            targets: explain the "label", or the "predicted" class. Of maps each class that is predicted in an image is explained where it
                is, of labels those among them; of queries a class's surest one.
            shares: score by the share in the layer, divided by the sum of magnitudes over its concepts, as zennit-crp's default.
            workers: processes that read the data set, when there is no executor.
            megabytes: the most that the tables may take, default 256. Where the best of all classes do not fit, each concept keeps those of
                the classes that use it most.
        """
        _check_crp(crp)
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"path is {type(path).__name__}; give the folder of the index: build(crp, dataset, path)")
        shard, workers = whole("shard", shard, 1), whole("workers", workers, 0)
        if executor is not None and not hasattr(executor, "submit"):
            raise TypeError(f"executor is {type(executor).__name__}; give a concurrent.futures.Executor, or None")
        samples = Samples(dataset, crp.model)
        request = make_request(
            crp,
            samples,
            layers=layers,
            top=top,
            class_top=class_top,
            batch=batch,
            targets=targets,
            shares=shares,
            megabytes=megabytes,
        )
        folder = _matching(path, request)
        if folder.request != request or folder.whole is None or not folder.sound(folder.whole):
            with lock(path):
                # Another process may have gone on with it before the lock was ours.
                folder = _matching(path, request)
                folder.begin(request)
                clock = _Clock(folder.done, samples.length)
                for done in run(Plan(crp, samples, request), folder, shard, executor, workers):
                    yield clock.at(done)
        else:
            clock = _Clock(samples.length, samples.length)
            if folder.strays():
                # Left by a process that was killed after its last step; where they cannot be removed they do no harm.
                with contextlib.suppress(OSError, RuntimeError), lock(path):
                    Folder(path).begin(request)
        yield clock.at(samples.length, cls(folder))

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, verify: bool = True) -> ReferenceIndex:
        """Open an index. Needs no model and no data set; tables are mapped into memory.

        Args:
            verify: compare the checksum of the whole file, some 1.5 GB/s; False looks at its size only.

        Raises:
            FileNotFoundError: no index there. ValueError: not finished, damaged, or of a format that is not known.
        """
        folder = Folder(path)
        if folder.request is None:
            raise FileNotFoundError(
                f"{path} holds no index; make one with ReferenceIndex.build(crp, dataset, {str(path)!r})"
            )
        if folder.request["format"] not in FORMATS:
            raise ValueError(
                f"the index in {path} is of format {folder.request['format']}, which this version does not read (it reads "
                f"{' and '.join(map(str, FORMATS))}); build it again, or install a newer xaiwidgets"
            )
        whole = folder.whole
        if whole is None:
            raise ValueError(
                f"the index in {path} is not finished: {folder.done} of {folder.request['dataset']['length']} samples; "
                "call ReferenceIndex.build again with the same arguments, and it goes on"
            )
        file = folder.path / whole.file
        if not (folder.sound(whole) if verify else file.is_file() and file.stat().st_size == whole.size):
            raise ValueError(
                f"{file} is damaged: it is not as it was written. Call ReferenceIndex.build again with the same arguments to rebuild it"
            )
        return cls(folder)

    # -- what it is of -----------------------------------------------------------------------------------------------

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(self._rows)

    def units(self, layer: str) -> int:
        """How many concepts a layer has."""
        rows = self._layer(layer)
        return rows.stop - rows.start

    @property
    def samples(self) -> int:
        return int(self.request["dataset"]["length"])

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(self.request["class_names"] or (f"class {k}" for k in range(self.request["classes"])))

    @property
    def targets(self) -> str:
        return str(self.request["targets"])

    @cached_property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps(self.request, sort_keys=True).encode()).hexdigest()[:16]

    def check(self, crp: CRP, dataset: Any = None) -> None:
        """Raise ValueError where the explainer, or the data set, is not the one that the index was built with; TypeError for no CRP."""
        _check_crp(crp)
        samples = None if dataset is None else Samples(dataset, crp.model)
        check_same(self.request, crp, samples, f"the index in {self.path}")

    def __repr__(self) -> str:
        model, composite = self.request["model"]["name"], self.request["composite"]["name"]
        return (
            f"ReferenceIndex({str(self.path)!r}: {model}, {composite}, {len(self.layers)} layers, {self.samples} samples, "
            f"{self.targets} classes)"
        )

    # -- questions -----------------------------------------------------------------------------------------------------

    def top(  # noqa: PLR0917 - these are the public face
        self,
        layer: str,
        concept: int,
        n: int = 8,
        by: str = "relevance",
        target: int | str | None = None,
        pool: str = "sum",
    ) -> References:
        """The n samples that show a concept best; fewer where fewer are kept.

        Args:
            by: "relevance" for the sample's class (RelMax), or "activation" (ActMax).
            target: only samples of this class, an index or a name; None for all.
            pool: rank by the "sum" over space, or by the "max".

        Raises:
            ValueError: unknown layer, class, `by` or `pool`. IndexError: no such concept.
        """
        unit, prefix = self._unit(layer, concept), self._prefix(by, pool)
        n = whole("n", n, 1)
        number = None if target is None else self._class(target)
        found = self._tables.best(prefix, unit, n) if number is None else self._tables.of_class(prefix, unit, number, n)
        return References(
            self._provenance,
            layer,
            unit - self._rows[layer].start,
            by,
            pool,
            number,
            found["samples"],
            found["scores"],
            self._unravelled(layer, found["positions"]),
            found["targets"],
            self.fingerprint,
            self.request,
        )

    def classes(
        self, layer: str, concept: int, by: str = "relevance", n: int | None = None, pool: str = "sum"
    ) -> list[ClassUse]:
        """Which classes lead for a concept: the mean over the best n explanations of each (all that are kept by default), best first.

        Where the index has no room for all classes, those that use the concept most are there; the last of them with an upper bound of
        their mean (`ClassUse.exact` is False), so that no class left out, or further down, comes before one whose mean is exact.

        Raises as `top`.
        """
        unit, prefix = self._unit(layer, concept), self._prefix(by, pool)
        most, names, counts = self.request["class_top"], self.class_names, self._tables.counts
        n = most if n is None else min(most, whole("n", n, 1, also=", or None for all that are kept"))
        kept, least = self._tables.by_class(prefix, unit)
        uses = []
        for number, scores in kept.items():
            wanted = min(n, counts[number])
            total = float(scores[:wanted].sum()) + least * max(0, wanted - len(scores))
            uses.append(ClassUse(number, names[number], total / wanted, counts[number], len(scores) >= wanted))
        return sorted(uses, key=lambda use: (-use.mean, use.target))

    # -- inner works ---------------------------------------------------------------------------------------------------

    @cached_property
    def _provenance(self) -> Provenance:
        keys = ("top", "targets", "batch", "shares")
        parameters = {"composite": self.request["composite"]["name"], **{key: self.request[key] for key in keys}}
        return Provenance("ReferenceIndex", parameters, None, self.request["model"]["name"])

    def _layer(self, layer: str) -> slice:
        if layer not in self._rows:
            raise unknown("layer", layer, self._rows)
        return self._rows[layer]

    def _unit(self, layer: str, concept: int) -> int:
        rows, units = self._layer(layer), self.units(layer)
        number = whole("concept", concept)
        if not 0 <= number < units:
            raise IndexError(
                f"concept={concept} is out of range; layer {layer!r} has {units} concepts: give 0 to {units - 1}"
            )
        return rows.start + number

    @staticmethod
    def _prefix(by: str, pool: str) -> str:
        if by not in KINDS:
            raise unknown("by", by, KINDS)
        if pool not in POOLS:
            raise unknown("pool", pool, POOLS)
        return f"{by}.{pool}"

    def _class(self, target: int | str) -> int:
        names = self.class_names
        if isinstance(target, str):
            if target not in names:
                raise unknown("target", target, names)
            return names.index(target)
        number = whole("target", target, also=", the name of a class, or None")
        if not 0 <= number < len(names):
            raise ValueError(
                f"target={target} is not a class of the index; give 0 to {len(names) - 1}, a name, or None"
            )
        return number

    def _unravelled(self, layer: str, flat: Tensor) -> Tensor:
        """Flat places in a layer as rows and columns; of more than two axes the last two, of one the columns."""
        space = (1, 1, *self._space[layer])
        return torch.stack([flat // space[-1] % space[-2], flat % space[-1]], 1)


def _check_crp(crp: Any) -> None:
    if not isinstance(crp, CRP):
        raise TypeError(f"crp is {type(crp).__name__}; give a CRP, such as xaiwidgets.CRP(model)")


def _matching(path: str | os.PathLike[str], request: dict[str, Any]) -> Folder:
    """The folder, if what it holds fits the request. Where nothing was finished, anything fits."""
    folder = Folder(path)
    found = difference(folder.request, request) if folder.request and folder.shards else None
    if found:
        raise ValueError(f"{path} holds an index of {found}; give another path, or delete that folder first")
    return folder


class _Clock:
    """Images a second and time left, from what was done since the build began or went on."""

    def __init__(self, done: int, total: int) -> None:
        self.before, self.total, self.begin = done, total, time.monotonic()

    def at(self, done: int, index: ReferenceIndex | None = None) -> Progress:
        rate = (done - self.before) / max(1e-9, time.monotonic() - self.begin)
        return Progress(done, self.total, rate, (self.total - done) / rate if rate else float("inf"), index)
