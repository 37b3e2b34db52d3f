"""The house rules: who imports whom, what importing costs, what the public face holds, what files must not say."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import xaiwidgets

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "xaiwidgets"
# A room may import from rooms below its own.
LEVELS = {
    "errors": 0, "images": 0, "workers": 0, "graph": 1, "results": 1, "model": 2, "sources": 3, "demo": 2,
    "relax": 4, "lrp": 4, "baselines": 4, "crp": 5, "evaluate": 5, "plots": 6, "widgets": 7, "": 8,
}  # fmt: skip
HEAVY_IN_CORE = {"anywidget", "ipywidgets", "matplotlib", "traitlets", "IPython"}


def room(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    # Figures are one room in several files.
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem.removeprefix("__init__").split("_")[0]


def imports(path: Path) -> Iterator[str]:
    """What a file imports when it is imported: not inside functions, not for type checkers."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            yield from (f"{module}.{alias.name}" for alias in node.names) if module == "xaiwidgets" else [module]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting.extend(node.orelse)
        else:
            waiting.extend(ast.iter_child_nodes(node))


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_imports_run_one_way() -> None:
    wrong = []
    for path in sources():
        own = room(path)
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "xaiwidgets" or len(parts) == 1:
                continue
            other = parts[1].split("_")[0]
            assert other in LEVELS, f"{path} imports {name}: say in LEVELS where {other} stands"
            if other != own and LEVELS[other] >= LEVELS[own] and not {own, other} <= {"graph", "results", "errors"}:
                wrong.append(f"{path.relative_to(ROOT)} ({own}) imports {name}")
    assert wrong == []


def test_only_widgets_know_widgets_and_only_plots_knows_matplotlib() -> None:
    for path in sources():
        own = room(path)
        found = {name.split(".")[0] for name in imports(path)} & HEAVY_IN_CORE
        allowed = {"widgets": HEAVY_IN_CORE - {"matplotlib"}, "plots": {"matplotlib"}}.get(own, set())
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
    assert project["project"]["version"] == xaiwidgets.__version__
    package = json.loads((ROOT / "js" / "package.json").read_text(encoding="utf-8"))
    assert package.get("version", xaiwidgets.__version__) == xaiwidgets.__version__


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
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 500, path.relative_to(ROOT)
