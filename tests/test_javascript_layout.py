"""The plan of js/src: data flows one way, no circles. `js/layout.mjs` guards it, and here the guard is shown to bite."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.guards import JS, Guard, guard_of

pytestmark = pytest.mark.sources

ROOT = Path(__file__).parents[1]

Plan = Callable[[dict[str, str]], Path]


@pytest.fixture(scope="module")
def guard() -> Guard:
    """Runs the guard over a folder."""
    return guard_of("layout.mjs")


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Writes a small tree that keeps the plan, with some files changed."""

    def write(changes: dict[str, str]) -> Path:
        sound = {
            "shared/types.ts": "export interface Told {}\n",
            "shared/data/wire.ts": "export const bytes = 1;\n",
            "shared/state/store.ts": 'import type { Told } from "../types.ts";\nexport class Base {}\nexport type T = Told;\n',
            "heatmap/types.ts": "export interface Asked {}\n",
            "heatmap/state/requests.ts": 'import type { Asked } from "../types.ts";\nexport class Requests {}\nexport type A = Asked;\n',
            "heatmap/state/store.ts": (
                'import { Base } from "../../shared/state/store.ts";\nimport { Requests } from "./requests.ts";\n'
                "export class Store extends Base { requests = new Requests(); }\n"
            ),
            "heatmap/views/layout.tsx": 'import type { Store } from "../state/store.ts";\nexport const view = (store: Store) => store;\n',
            "heatmap/views/styles.css": ".xw {}\n",
            "heatmap/index.ts": 'import "./views/styles.css";\nimport { view } from "./views/layout.tsx";\nexport default view;\n',
            "flipping/types.ts": "export interface Asked {}\n",
            "flipping/views/layout.tsx": "export const view = 1;\n",
        }
        for name, text in {**sound, **changes}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return write


def test_the_browser_side_keeps_its_plan(guard: Guard) -> None:
    ran = guard(JS / "src")
    assert ran.returncode == 0, ran.stderr
    seen = len([path for path in (JS / "src").rglob("*") if path.suffix in {".ts", ".tsx", ".css"}])
    assert ran.stdout.startswith(f"{seen} files")


def test_a_sound_plan_passes(guard: Guard, plan: Plan) -> None:
    ran = guard(plan({}))
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    "back",
    [
        'import { Store } from "./store.ts";',
        'import type { Store } from "./store.ts";',
        "import type { Store } from './store.ts';",
        'import {\n  type Other,\n  type Store,\n} from "./store.ts";',
        'import "./store.ts";',
        'export * from "./store.ts";',
        'export type { Store } from "./store.ts";',
        'export const later = async () => (await import("./store.ts")).Store;',
        'export const later = () => import(/* when it is asked for */ "./store.ts");',
        "export const later = () => import(`./store.ts`);",
        'export type S = import("./store.ts").Store;',
        'export type S = typeof import("./store");',
        'import { Store } from "./store.js";',
        'import old = require("./store.ts");',
    ],
)
def test_a_circle_is_named(guard: Guard, plan: Plan, back: str) -> None:
    ran = guard(plan({"heatmap/state/requests.ts": f"{back}\nexport class Requests {{}}\n"}))
    assert ran.returncode == 1
    circle = "heatmap/state/requests.ts -> heatmap/state/store.ts -> heatmap/state/requests.ts"
    assert ran.stderr == f"these files import each other: {circle}\n"


def test_a_long_circle_is_named_once_from_end_to_end(guard: Guard, plan: Plan) -> None:
    ran = guard(
        plan(
            {
                "shared/data/a.ts": 'import type { B } from "./b.ts";\nexport type A = B;\n',
                "shared/data/b.ts": 'export const c = () => import("./c.ts");\nexport type B = 1;\n',
                "shared/data/c.ts": 'import { a } from "./a.ts";\nexport const c = a;\n',
            }
        )
    )
    assert ran.returncode == 1
    assert ran.stderr == (
        "these files import each other: shared/data/a.ts -> shared/data/b.ts -> shared/data/c.ts -> shared/data/a.ts\n"
    )


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("shared/data/a.ts", 'import type { A } from "../../heatmap/types.ts";', "shared must not know heatmap"),
        ("heatmap/state/a.ts", 'import type { A } from "../../flipping/types.ts";', "heatmap must not know flipping"),
        ("heatmap/views/a.css", '@import "../../flipping/views/a.css";', "heatmap must not know flipping"),
        ("heatmap/state/a.ts", 'import { view } from "../views/layout.tsx";', "*/state stands before */views"),
        ("heatmap/state/a.ts", 'import "../../shared/views/a.tsx";', "*/state stands before shared/views"),
        ("shared/data/a.ts", 'import type { B } from "../state/store.ts";', "shared/data stands before shared/state"),
        ("heatmap/views/a.ts", 'import type { D } from "../index.ts";', "*/views stands before */index.ts"),
        ("heatmap/a.ts", "export {};", "heatmap/a.ts has no room"),
        ("shared/other/a.ts", "export {};", "shared/other/a.ts has no room"),
        ("shared/data/a.ts", 'import "../../../elsewhere.ts";', "outside of this folder"),
        ("shared/data/a.ts", "export const a = (name: string) => import(name);", "only known when it runs"),
        ("shared/data/a.ts", "export const a = (b: string) => import(`./${b}.ts`);", "only known when it runs"),
        ("shared/data/database.ts", "export {};", "begins with the name of its folder data"),
        ("heatmap/views/heatmap.css", ".xw {}", "begins with the name of its folder heatmap"),
        ("shared/data/a.ts", "export {};\n" * 401, "has 401 lines, more than 400"),
    ],
)
def test_what_breaks_the_plan_is_named(guard: Guard, plan: Plan, file: str, text: str, said: str) -> None:
    ran = guard(plan({file: f"{text}\n" if not text.endswith("\n") else text}))
    assert ran.returncode == 1
    [line] = ran.stderr.splitlines()
    assert file in line
    assert said in line


def test_paths_of_the_browser_side_that_files_name_exist() -> None:
    named = re.compile(r"\bjs/src/[\w./-]*\w")
    files = [
        path
        for folder, kinds in (("xaiwidgets", ("*.py",)), ("js/src", ("*.ts", "*.tsx")), (".", ("*.md",)))
        for kind in kinds
        for path in ((ROOT / folder).glob(kind) if folder == "." else (ROOT / folder).rglob(kind))
    ]
    found = {(path, name) for path in files for name in named.findall(path.read_text(encoding="utf-8"))}
    assert found
    missing = [f"{path.relative_to(ROOT)}: {name}" for path, name in sorted(found) if not (ROOT / name).exists()]
    assert not missing, missing
