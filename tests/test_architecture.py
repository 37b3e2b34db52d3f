"""The house rules: who imports whom, what importing costs, what the public face holds, what files must not say."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

import xaiwidgets
from tests.imports import circle, imports_of, modules, targets

pytestmark = pytest.mark.sources

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "xaiwidgets"
# A room may import from rooms below its own, and from its own.
LEVELS = {
    "devices": 0, "errors": 0, "storage": 0, "words": 0, "workers": 0, "plots": 1, "results": 2, "graph": 2, "demo": 2, "model": 3, "targets": 3,
    "relax": 4, "lrp": 4, "baselines": 4, "crp": 5, "index": 6, "evaluate": 6, "lessons": 7, "widgets": 7, "": 8,
}  # fmt: skip
# `ImageModel.check()` is a convenience for `lrp.check(model)`: the one door that opens upwards.
DOORS = {("xaiwidgets.model.image_model", "xaiwidgets.lrp")}
HEAVY_IN_CORE = {"anywidget", "ipywidgets", "matplotlib", "traitlets", "IPython"}
# Modules that are no room of their own: small things that everyone uses.
LOOSE = {"__init__", "devices", "errors", "results", "storage", "targets", "words", "workers"}


def room(module: str) -> str:
    """ "lrp" of xaiwidgets.lrp.rules; the public face is the room without a name."""
    return module.split(".")[1] if "." in module else ""


@cache
def edges() -> dict[str, set[str]]:
    """module -> what it imports of the package, whenever it does; without the doors."""
    found = imports_of(PACKAGE)
    return {name: {other for other in others if (name, other) not in DOORS} for name, others in found.items()}


def test_imports_run_one_way() -> None:
    wrong = []
    for name, others in edges().items():
        for other in others:
            for entry in (name, other):
                assert room(entry) in LEVELS, f"say in LEVELS where {entry} stands"
            if room(other) != room(name) and LEVELS[room(other)] >= LEVELS[room(name)]:
                wrong.append(f"{name} imports {other}")
    assert wrong == []


def test_no_file_imports_itself_through_others() -> None:
    found = circle(edges())
    assert not found, "a circle of imports: " + " -> ".join(found)


def test_every_door_is_used() -> None:
    found = imports_of(PACKAGE)
    assert {(name, other) for name, other in DOORS if other in found[name]} == DOORS


@pytest.mark.parametrize(
    "line",
    [
        "from pkg.top import one",
        "def later():\n    from pkg.top import one",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pkg.top import one",
        "from importlib import import_module\ndef later():\n    return import_module('pkg.top')",
        "import pkg.top",
        "from pkg import top",
    ],
)
def test_a_circle_put_in_by_hand_is_named(tmp_path: Path, line: str) -> None:
    package = tmp_path / "pkg"
    (package / "low").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "low" / "__init__.py").touch()
    (package / "top.py").write_text("from pkg.middle import two\none = 1\n")
    (package / "middle.py").write_text("from pkg.low.floor import three\ntwo = 2\n")
    (package / "low" / "floor.py").write_text("three = 3\n")
    assert circle(imports_of(package)) == []
    (package / "low" / "floor.py").write_text(f"{line}\nthree = 3\n")
    found = circle(imports_of(package))
    assert found[0] == found[-1]
    assert set(found) == {"pkg.top", "pkg.middle", "pkg.low.floor"}


def test_rooms_instead_of_prefixes() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} <= LOOSE
    for folder in [PACKAGE, ROOT / "js" / "src", ROOT / "tests"]:
        for path in folder.rglob("*"):
            # `test_` and `_` say something else than the room.
            name = path.stem.removeprefix("test_")
            prefixed = re.match(rf"{re.escape(path.parent.name)}[_.-]", name)
            assert not prefixed, f"{path.relative_to(ROOT)} repeats the name of its folder"


def test_every_room_says_what_it_is_for() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        assert path.parent == PACKAGE or "import" in said, f"{path.relative_to(ROOT)}: what may it import?"


def test_tests_mirror_the_package() -> None:
    def folders(root: Path) -> set[str]:
        return {str(path.parent.relative_to(root)) for path in root.rglob("*.py")}

    # Widgets are driven in browsers as well, speed is measured, modules are generated, a device is stood in for: rooms of the tests alone.
    own = {
        name
        for name in folders(ROOT / "tests")
        if name.split("/")[0] in {"browser", "benchmarks", "generated", "standin"}
    }
    assert folders(ROOT / "tests") - own == folders(PACKAGE)
    for path in (ROOT / "tests").glob("test_*.py"):
        stands_for = {f"test_{name}" for name in LOOSE} | HOUSE
        assert path.stem in stands_for, f"tests/{path.name}: it belongs into the room that it tests"


HOUSE = {
    "test_javascript_styles",
    "test_architecture",
    "test_explainers",
    "test_javascript_layout",
    "test_packaging",
    "test_docstrings",
    "test_book",
    "test_spread",
    "test_floor",
}
"""Tests of the house as a whole: its layout, what it is packed into, its book, its lowest versions, how its tests spread, and what all
explainers share."""


def test_only_widgets_know_widgets_and_only_plots_knows_matplotlib() -> None:
    for name, path in modules(PACKAGE).items():
        imported = targets(ast.parse(path.read_text(encoding="utf-8")), at_import_only=True)
        found = {target.split(".")[0] for target in imported} & HEAVY_IN_CORE
        allowed = {"widgets": HEAVY_IN_CORE - {"matplotlib"}, "plots": {"matplotlib"}}.get(room(name), set())
        assert found <= allowed, f"{path} imports {found - allowed}"


def test_importing_is_quick_and_takes_no_torch() -> None:
    code = (
        "import sys, time; begin = time.perf_counter(); import xaiwidgets; took = time.perf_counter() - begin;"
        "import json; print(json.dumps([took, sorted(sys.modules)]))"
    )
    runs = [
        json.loads(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True).stdout)
        for _ in range(3)
    ]
    loaded = {name.split(".")[0] for name in runs[0][1]}
    assert loaded.isdisjoint({"torch", "timm", "torchvision", "numpy", "matplotlib", "anywidget", "ipywidgets"})
    assert min(took for took, _ in runs) <= 0.3


@pytest.mark.parametrize("name", xaiwidgets.__all__)
def test_public_names_are_there_and_described(name: str) -> None:
    value = getattr(xaiwidgets, name)
    assert (value.__doc__ or "").strip(), f"{name} has no docstring"
    assert name in dir(xaiwidgets)


def test_unknown_public_names() -> None:
    with pytest.raises(AttributeError, match="module 'xaiwidgets' has no attribute 'Relax'; it offers"):
        _ = xaiwidgets.Relax


def test_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    source = ROOT / project["tool"]["hatch"]["version"]["path"]
    assert source == PACKAGE / "__init__.py"
    assert re.findall(r'^__version__ = "(.+)"$', source.read_text(encoding="utf-8"), re.MULTILINE) == [
        xaiwidgets.__version__
    ]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)", changelog, re.MULTILINE)[0] == xaiwidgets.__version__
    package = json.loads((ROOT / "js" / "package.json").read_text(encoding="utf-8"))
    assert package.get("version", xaiwidgets.__version__) == xaiwidgets.__version__
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (\S+)$", citation, re.MULTILINE) == [xaiwidgets.__version__]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    names = [name for name in listed.stdout.decode().split("\0") if name]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def test_files_name_no_machine_and_no_registry() -> None:
    # Written in parts, so that this file does not say them itself.
    forbidden = re.compile(
        "|".join(
            [
                "/opt" + "/dev",
                "/work" + "/",
                "registry" + r"\.npmjs",
                "files\\.python" + "hosted",
                "pypi" + r"\.org",
                "/home" + r"/\w+",
            ]
        )
    )
    wrong = []
    for path in tracked():
        if path.suffix in {".safetensors", ".png", ".jpg", ".woff2", ".ico"}:
            continue
        found = forbidden.search(path.read_text(encoding="utf-8", errors="replace"))
        if found:
            wrong.append(f"{path.relative_to(ROOT)}: {found[0]}")
    assert wrong == []


def test_nothing_is_left_for_later() -> None:
    words = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "X" * 3, "NotImplemented" + "Error"]))
    for path in tracked():
        if path.suffix in {".py", ".ts", ".tsx"}:
            found = words.search(path.read_text(encoding="utf-8"))
            assert not found, f"{path.relative_to(ROOT)} says {found}"


def test_files_stay_short() -> None:
    for path in tracked():
        if path.suffix in {".py", ".ts", ".tsx", ".css"}:
            most = 400 if path.is_relative_to(PACKAGE) or path.is_relative_to(ROOT / "js" / "src") else 500
            assert len(path.read_text(encoding="utf-8").splitlines()) <= most, path.relative_to(ROOT)
