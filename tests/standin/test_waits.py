"""Without an accelerator: that everything runs on a device other than the CPU, gives the CPU's numbers, and waits for it only where it must.

The stand-in changes torch for a whole process, so that the probe has one of its own, once for all tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not hasattr(torch._C, "_acc") or not hasattr(torch._C._acc, "register_python_privateuseone_device_guard"),
    reason="this torch has no Python backends for other devices",
)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.standin.probe"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=550)
    assert ran.returncode == 0, ran.stderr[-2000:]
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def test_the_stand_in_refuses_and_counts_what_cuda_does(found: dict[str, Any]) -> None:
    said = found["refused"]
    assert "Expected all tensors to be on the same device" in said["mixed"]
    assert "Expected a 'standin' device type for generator but found 'cpu'" in said["generator"]
    assert said["numpy"].startswith("TypeError: can't convert standin:0 device type tensor to numpy")
    assert said["item"] == said["branch"] == "down _local_scalar_dense"
    assert said["mask"] == "size nonzero, size index"
    assert (said["list"], said["back"], said["there"]) == ("up copy", "down copy", "up copy")
    assert said["one number"] == said["without a wait"] == said["view"] == ""


# The images' range; whether the weights are the same; NaN among the answers; and the account in one go.
ONCE = 4
MOST = {
    "forward + gradient": 0,
    "LRP": ONCE, "LRP, TF32": ONCE, "LRP, bfloat16": ONCE, "absLRP": ONCE,
    "CRP, 8 concepts": ONCE, "Grad-CAM": 9, "gradient × input": 6,
    # One look a batch at the similarities.
    "RELAX, 128 masks": 4, "RELAX, 128 masks, bfloat16": 4, "RISE, 128 masks": 6,
    "pixel flipping": 11, "GAE": 38,
}  # fmt: skip


@pytest.mark.parametrize("work", MOST)
def test_every_method_gives_the_cpus_numbers_and_waits_no_oftener(found: dict[str, Any], work: str) -> None:
    (line,) = [line for line in found["table"] if line["work"] == work]
    if "bfloat16" in work:
        assert 0 < line["error"] < line["bound"]
        assert line["correlation"] > 0.99
    else:
        # The same kernels on the same numbers, in other parts of a batch.
        assert line["error"] < 1e-5, line
    assert line["waits"] <= MOST[work], Counter(line["log"])
    assert line["waits"] == len(line["log"])


def test_the_table_has_every_row(found: dict[str, Any]) -> None:
    assert [line["work"] for line in found["table"]] == list(MOST)


def test_a_transformer_and_its_map_in_tf32(found: dict[str, Any]) -> None:
    row = found["attention"]
    assert row["device"] == "standin"
    assert len(row["waits"]) <= ONCE, row["waits"]
    # Other kernels of attention than the CPU's.
    assert row["error"] < 1e-3
    # Ten bits behind the point: the map differs, and is the same map.
    assert row["error"] < row["rounded"] < 0.1


@pytest.mark.parametrize("what", ["images", "layers", "concepts", "conditions", "index, layers"])
def test_what_waits_no_oftener_for_more(found: dict[str, Any], what: str) -> None:
    little, much = found["counted"][what]
    assert len(much) == len(little), Counter(much) - Counter(little)


@pytest.mark.parametrize(
    ("what", "steps"),
    [
        # 256 masks more in batches of 64, 4 gradients more, 16 frames more in batches of 8, 2 batches of images more.
        ("RELAX", 4), ("RISE", 4), ("integrated", 4), ("smooth", 4), ("flips", 2), ("inpainted", 2), ("noise", 2),
    ],
)  # fmt: skip
def test_what_waits_once_a_step(found: dict[str, Any], what: str, steps: int) -> None:
    little, much = found["counted"][what]
    assert len(much) - len(little) == steps, Counter(much) - Counter(little)


def test_an_index_waits_for_its_batches(found: dict[str, Any]) -> None:
    one, three = found["counted"]["index, batches"]
    # The images' range, the weights, what concepts got in two copies, and looks at data and answers: none a layer or a concept.
    assert len(three) - len(one) <= 2 * 5, Counter(three) - Counter(one)


def test_questions_about_concepts(found: dict[str, Any]) -> None:
    counted = found["counted"]
    for what in ("region", "rank"):
        assert len(counted[what][0]) <= 4, Counter(counted[what][0])
    thin, wide = counted["graph"]
    assert len(wide) == len(thin), Counter(wide) - Counter(thin)


def test_a_widget_asks_and_reads_maps(found: dict[str, Any]) -> None:
    asked = found["asked"]
    assert (asked["state"], asked["device"]) == ("done", "standin")
    assert len(asked["waits"]) <= 18, Counter(asked["waits"])
