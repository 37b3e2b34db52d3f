"""Evaluation on real workers: the same bits, whoever computes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from xaiwidgets import ImageModel
from xaiwidgets.baselines import GradientXInput
from xaiwidgets.demo import Shapes
from xaiwidgets.evaluate import gae, pixel_flipping, stream_pixel_flipping

QUIET: dict[str, Any] = {"progress": False}
FLIP: dict[str, Any] = {"perturb": "random", "patch": 16, "random": 1, "batch_size": 8}


@contextmanager
def dask() -> Iterator[tuple[Any, list[int]]]:
    """A Dask client, and the processes of its workers."""
    from dask.distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        yield client, [worker.pid for worker in cluster.workers.values()]


def test_dask_with_functions_of_a_notebook_and_a_worker_killed(cnn: ImageModel) -> None:
    # A function that no module holds, as those of a notebook: it travels by value.
    scope: dict[str, Any] = {}
    exec("def energy(x, target):\n    return x.square().sum(1)", scope)
    methods = {"g": GradientXInput(cnn), "energy": scope["energy"]}
    alone = pixel_flipping(cnn, Shapes(48), methods, **FLIP, **QUIET)
    scores = gae(cnn, Shapes(16), methods, steps=2, batch_size=4, **QUIET)
    with dask() as (client, workers):
        killed = False
        for partial in stream_pixel_flipping(cnn, Shapes(48), methods, **FLIP, executor=client):
            if not killed and partial.done:
                os.kill(workers[0], signal.SIGKILL)
                killed = True
        spread_scores = gae(cnn, Shapes(16), methods, steps=2, batch_size=4, executor=client.get_executor(), **QUIET)
    assert killed
    assert partial.final
    for name in methods:
        assert torch.equal(alone.scores[name], partial.scores[name])
        assert torch.equal(scores.gae[name], spread_scores.gae[name])


def test_processes_give_the_same_to_the_bit(model: ImageModel, x: Tensor, heat: Tensor) -> None:
    many, maps = x.repeat(3, 1, 1, 1), heat.repeat(3, 1, 1)
    methods = {"g": GradientXInput(model), "heat": maps}
    alone = pixel_flipping(model, many, methods, **{**FLIP, "patch": 4}, **QUIET)
    scores = gae(model, many, {"g": GradientXInput(model)}, steps=3, batch_size=4, **QUIET)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        spread = pixel_flipping(model, many, methods, **{**FLIP, "patch": 4}, executor=executor, **QUIET)
        spread_scores = gae(
            model, many, {"g": GradientXInput(model)}, steps=3, batch_size=4, executor=executor, **QUIET
        )
    for name in methods:
        assert torch.equal(alone.scores[name], spread.scores[name])
    assert torch.equal(scores.gae["g"], spread_scores.gae["g"])
