"""The concept browser on a stand-in model: known answers in, what is on screen and what is asked out."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from playwright.sync_api import Browser, ConsoleMessage

from .standin import StandIn, serve

PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="concepts.css">
<style>body { margin: 8px; font-family: sans-serif; }</style>
<script type="module">
import widget, { StandInModel } from "./concepts.js";
window.start = (state, answers, respond) => {
  const model = new StandInModel(state);
  // Questions of a kind that wait for their answer, and the most that ever did at once.
  const open = {};
  window.most = {};
  const find = (want) => answers.filter((a) => Object.entries(a.match).every(([k, v]) => JSON.stringify(want[k]) === JSON.stringify(v)));
  model.respond = (message) => {
    if (!respond) return;
    if (message.type === "ready") model.receive({ type: "welcome" });
    if (message.type !== "ask") return;
    for (const { content, buffers } of find(message.want)) {
      // As Python: not at once, and word for word what was asked.
      const { kind } = message.want;
      open[kind] = (open[kind] ?? 0) + 1;
      window.most[kind] = Math.max(window.most[kind] ?? 0, open[kind]);
      setTimeout(() => {
        open[kind]--;
        model.receive({ ...content, want: message.want, request: message.id }, buffers);
      }, window.delay ?? 0);
    }
  };
  window.instance = widget();
  window.disposeModel = window.instance.initialize({ model });
  window.model = model;
  const el = document.createElement("div");
  document.body.append(el);
  window.disposeView = window.instance.render({ model, el });
};
window.loaded = true;
</script>"""

UNITS = 12
SIDE = 48
LAYERS: list[dict[str, Any]] = [
    {"name": "conv1", "units": 6, "kind": "channel", "indexed": True},
    {"name": "conv2", "units": UNITS, "kind": "channel", "indexed": True},
    {"name": "head", "units": 4, "kind": "feature", "indexed": False},
]
NAMES = ["ring", "star", "<img src=x onerror=alert(1)>", "heart"]
RELEVANCE = np.array([0.1, -0.4, 0.9, 0.3, 0.05, -0.02, 0.6, 0.0, 0.2, 0.15, -0.1, 0.01], "<f4")
INSIDE = np.roll(RELEVANCE, 3)


def disc(seed: int = 0) -> np.ndarray:
    """A soft disc on a striped ground, (SIDE, SIDE, 3) uint8."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    soft = np.exp(-((x - 0.4) ** 2 + (y - 0.5) ** 2) / 0.03)
    stripes = 0.5 + 0.2 * np.sin(30 * (x + y) + seed)
    return (255 * np.clip(np.stack([stripes + soft, stripes, 1 - stripes], -1), 0, 1)).astype(np.uint8)


def heat(sign: float = 1.0) -> np.ndarray:
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    return (sign * np.exp(-((x - 0.4) ** 2 + (y - 0.5) ** 2) / 0.03)).astype("<f2")


def _message(
    kind: str, buffers: list[np.ndarray], match: dict[str, Any] | None = None, **content: Any
) -> dict[str, Any]:
    return {
        "match": {"kind": kind, **(match or {})},
        "content": {"type": kind, **content},
        "buffers": [base64.b64encode(np.ascontiguousarray(part).tobytes()).decode() for part in buffers],
    }


def _header(values: np.ndarray) -> dict[str, Any]:
    span = [float(values.min()), float(values.max())]
    return {"name": "relevance", "dtype": "float16", "shape": list(values.shape), "range": span}


def answers(shown: np.ndarray | None = None, values: np.ndarray | None = None) -> list[dict[str, Any]]:
    """What the stand-in answers to each kind of question. ``shown``, ``values``: a picture (SIDE, SIDE, 3) and a map (SIDE, SIDE) in place
    of those of the disc, everywhere."""
    if values is None:
        values = heat()

    def picture(seed: int = 0) -> np.ndarray:
        return disc(seed) if shown is None else shown

    items = [
        {"place": n, "sample": 10 + n, "score": 1 - n / 10, "target": n % 4, "shape": [SIDE, SIDE, 3],
         "map": _header(values), "box": [8, 12, 32, 36]}
        for n in range(8)
    ]  # fmt: skip
    pictures = [part for n in range(8) for part in (picture(n), values)]
    places = [
        [layer["name"], unit, slot, True] for layer in LAYERS[:2] for unit in range(layer["units"]) for slot in range(3)
    ]
    tiles = np.concatenate([picture(unit * 3 + slot).ravel() for _, unit, slot, _ in places])
    nodes = [
        {"layer": "conv2", "concept": 2, "relevance": 0.9, "share": 0.32},
        {"layer": "conv1", "concept": 4, "relevance": 0.5, "share": 0.6},
        {"layer": "conv1", "concept": 1, "relevance": -0.2, "share": -0.2},
    ]
    edges = [{"source": 0, "target": 1, "relevance": 0.5}, {"source": 0, "target": 2, "relevance": -0.2}]
    explained: dict[str, Any] = {
        "shape": [SIDE, SIDE, 3],
        "map": _header(values),
        "target": 1,
        "score": 8.25,
        "probability": 0.93,
    }
    classes = [{"target": 1, "score": 0.7, "count": 12}, {"target": 2, "score": 0.2, "count": 9}]
    return [
        _message("focus", [picture(), values], **explained),
        _message("ranking", [RELEVANCE, 10 * np.abs(RELEVANCE)[::-1]], {"layer": "conv2"}, units=UNITS),
        _message("ranking", [RELEVANCE[:6], RELEVANCE[:6]], {"layer": "conv1"}, units=6),
        _message("ranking", [RELEVANCE[:4], RELEVANCE[:4]], {"layer": "head"}, units=4),
        _message("region", [INSIDE], {"layer": "conv2"}, units=UNITS),
        _message("heatmap", [values], map=_header(values)),
        _message("graph", [], nodes=nodes, edges=edges),
        _message("references", pictures, total=8, items=items, classes=classes),
        _message("tiles", [tiles], side=SIDE, places=places),
    ]


def state(**more: Any) -> dict[str, Any]:
    """Traits of a browser over the stand-in's layers."""
    return {
        "layers": LAYERS,
        "layer": "conv2",
        "class_names": NAMES,
        "images": 3,
        "title": "Concepts of a stand-in",
        "index_info": {"samples": 100, "pictures": True},
        "status": {"state": "idle"},
    } | more


def open_browser(
    chromium: Browser, *, width: int = 1300, dark: bool = False, respond: bool = True,
    traits: dict[str, Any] | None = None, only: Callable[[dict[str, Any]], bool] = lambda answer: True,
    known: list[dict[str, Any]] | None = None,
) -> StandIn:  # fmt: skip
    """A page with one view. ``respond=False`` is a kernel that never answers; ``only`` picks the answers it gives, of ``known``."""
    context = chromium.new_context(
        viewport={"width": width, "height": 1000}, color_scheme="dark" if dark else "light", accept_downloads=True
    )
    page = context.new_page()
    standin = StandIn(page)

    def log(message: ConsoleMessage) -> None:
        # The tests themselves read pixels back.
        if message.type in ("error", "warning") and "willReadFrequently" not in message.text:
            standin.errors.append(message.text)

    page.on("console", log)
    page.on("pageerror", lambda error: standin.errors.append(str(error)))
    serve(page, PAGE)
    given = [answer for answer in (answers() if known is None else known) if only(answer["content"])]
    traits = state() | (traits or {})
    json.dumps(traits)
    page.evaluate("([state, answers, respond]) => start(state, answers, respond)", [traits, given, respond])
    standin.settle()
    return standin
