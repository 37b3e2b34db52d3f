"""Who imports whom in a package: every import counts, those inside functions and those for type checkers too."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

__all__ = ["circle", "imports_of", "module_name", "modules", "targets"]


def module_name(path: Path, package: Path) -> str:
    """ "xaiwidgets.lrp.rules" of a file; a room's `__init__` has the room's name."""
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(package: Path) -> dict[str, Path]:
    """Every module of a package by name."""
    return {module_name(path, package): path for path in sorted(package.rglob("*.py"))}


def targets(tree: ast.AST, *, at_import_only: bool = False) -> Iterator[str]:
    """The dotted names that a file imports, `importlib.import_module("…")` included.

    Args:
        at_import_only: leave out what is imported inside functions and for type checkers only.
    """
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)
        elif at_import_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        elif at_import_only and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting.extend(node.orelse)
        else:
            if isinstance(node, ast.Call) and "import_module" in ast.dump(node.func) and node.args:
                name = node.args[0]
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    yield name.value
            waiting.extend(ast.iter_child_nodes(node))


def imports_of(package: Path, *, at_import_only: bool = False) -> dict[str, set[str]]:
    """module -> the modules of the same package that it imports, each as the file that is meant.

    Raises:
        ValueError: a relative import: names are written out.
    """
    known = modules(package)
    found: dict[str, set[str]] = {}
    for name, path in known.items():
        found[name] = set()
        for target in targets(ast.parse(path.read_text(encoding="utf-8")), at_import_only=at_import_only):
            if target.startswith("."):
                raise ValueError(f"{path} imports {target}: write the name out")
            meant = target
            while meant and meant not in known:
                meant = meant.rpartition(".")[0]
            if meant and meant != name:
                found[name].add(meant)
    return found


def circle(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """The modules of a shortest circle of imports, the first one again at the end; empty where there is none."""
    shortest: list[str] = []
    for start in edges:
        came_from: dict[str, str] = {}
        waiting = [start]
        while waiting and start not in came_from:
            here = waiting.pop(0)
            for there in sorted(edges.get(here, ())):
                if there not in came_from:
                    came_from[there] = here
                    waiting.append(there)
        if start in came_from:
            way = [start]
            while way[-1] != start or len(way) == 1:
                way.append(came_from[way[-1]])
            if not shortest or len(way) < len(shortest):
                shortest = way[::-1]
    return shortest
