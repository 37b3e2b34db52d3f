"""The stand-in model's page, driven from Python: known maps in, pixels and recorded messages out."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import ConsoleMessage, Locator, Page

from .still import REST, WATCH, still

STATIC = Path(__file__).parents[2] / "xaiwidgets" / "widgets" / "static"
PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="heatmap.css">
<style>body { margin: 8px; font-family: sans-serif; } .cell { margin-bottom: 16px; }</style>
<script type="module">
import widget, { StandInModel } from "./heatmap.js";
window.start = async (state, messages, views, answer) => {
  const model = new StandInModel(state);
  model.respond = (message) => {
    if (message.type !== "ready" || !answer) return;
    for (const { content, buffers } of messages) model.receive(content, buffers);
  };
  const instance = widget();
  window.disposeModel = instance.initialize({ model });
  window.model = model;
  window.disposeViews = [];
  for (let i = 0; i < views; i++) {
    const el = document.createElement("div");
    el.className = "cell";
    document.body.append(el);
    window.disposeViews.push(instance.render({ model, el }));
  }
};
window.loaded = true;
</script>"""

RELAX_METHOD: dict[str, Any] = {
    "name": "relax",
    "label": "RELAX",
    "views": [
        {
            "name": "importance",
            "label": "Importance",
            "map": "importance",
            "kind": "sequential",
            "unit": "cosine",
            "filtered": False,
        },
        {
            "name": "uncertainty",
            "label": "Uncertainty",
            "map": "uncertainty",
            "kind": "sequential",
            "unit": "",
            "filtered": False,
        },
        {
            "name": "u_relax",
            "label": "U-RELAX",
            "map": "importance",
            "kind": "sequential",
            "unit": "cosine",
            "filtered": True,
        },
    ],
    "filter": "uncertainty",
    "error": "standard_error",
    "controls": [],
    "streaming": True,
    "classes": False,
}
LRP_METHOD: dict[str, Any] = {
    "name": "lrp",
    "label": "LRP",
    "views": [
        {
            "name": "relevance",
            "label": "Relevance",
            "map": "relevance",
            "kind": "diverging",
            "unit": "",
            "filtered": False,
        }
    ],
    "filter": None,
    "error": None,
    "controls": [
        {
            "name": "composite",
            "label": "Composite",
            "type": "choice",
            "value": "epsilon_plus",
            "options": ["epsilon_plus", "attn_lrp"],
        },
        {"name": "gamma", "label": "γ", "type": "float", "value": 0.25, "min": 0.001, "max": 10, "log": True},
        {"name": "depth", "label": "Layers", "type": "int", "value": 3, "min": 1, "max": 12},
        {"name": "absolute", "label": "Absolute values", "type": "bool", "value": False},
    ],
    "streaming": False,
    "classes": True,
    "contrast": True,
}


NAMES = [f"class {i}" for i in range(998)] + ["<img src=x onerror=alert(1)>", "tabby cat"]


def encode(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def known_maps(size: int = 224) -> dict[str, np.ndarray]:
    """A bright disc left of the middle; the uncertainty grows from left to right."""
    y, x = np.mgrid[0:size, 0:size] / size
    disc = np.exp(-((x - 0.42) ** 2 + (y - 0.45) ** 2) / 0.03)
    ripple = 0.06 * np.sin(9 * x + 2) * np.cos(7 * y)
    return {
        "importance": (0.6 + 0.2 * disc + ripple).astype(np.float16),
        "uncertainty": (0.002 + 0.004 * x + 0.0002 * y).astype(np.float16),
        "standard_error": np.full((size, size), 0.012, np.float16),
        "relevance": (disc - 0.7 * np.exp(-((x - 0.75) ** 2 + (y - 0.7) ** 2) / 0.02)).astype(np.float16),
    }


def known_picture(size: int = 224) -> np.ndarray:
    """A shaded ball on a striped ground, (size, size, 3) uint8."""
    y, x = np.mgrid[0:size, 0:size] / size
    ground = np.stack([170 + 30 * np.sin(40 * (x + y)), 175 + 20 * y, 160 + 30 * x], axis=-1)
    inside = ((x - 0.42) ** 2 + (y - 0.45) ** 2) < 0.06
    shade = np.clip(1.15 - 1.8 * np.hypot(x - 0.36, y - 0.38), 0.2, 1)
    ball = np.stack([220 * shade, 90 * shade, 60 * shade], axis=-1)
    return np.where(inside[..., None], ball, ground).clip(0, 255).astype(np.uint8)


def picture_message(pixels: np.ndarray, image: int = 0) -> dict[str, Any]:
    return {"content": {"type": "picture", "image": image, "shape": list(pixels.shape)}, "buffers": [encode(pixels)]}


def maps_message(
    maps: dict[str, np.ndarray], method: str = "relax", image: int = 0, final: bool = True, **question: Any
) -> dict[str, Any]:
    headers = [
        {"name": name, "dtype": str(m.dtype), "shape": list(m.shape), "range": [float(m.min()), float(m.max())]}
        for name, m in maps.items()
    ]
    content = {
        "type": "maps",
        "image": image,
        "method": method,
        "target": None,
        "against": None,
        "parameters": {},
        "request": None,
        "maps": headers,
        "shared_range": {},
        "final": final,
    } | question
    return {"content": content, "buffers": [encode(m) for m in maps.values()]}


def known_snapshot() -> str:
    """The blob a saved notebook keeps: the known picture, and its maps at half the resolution."""
    small = {name: m[::2, ::2] for name, m in known_maps().items() if name != "relevance"}
    headers = maps_message(small)["content"]["maps"]
    header = {"picture": {"image": 0, "shape": [224, 224, 3]}, "maps": headers, "image": 0, "method": "relax"}
    text = json.dumps(header).encode()
    blob = bytearray(len(text).to_bytes(4, "little") + text)
    for array in [known_picture(), *small.values()]:
        blob += b"\0" * (-len(blob) % 8) + array.tobytes()
    return base64.b64encode(bytes(blob)).decode()


def lrp_state(**more: Any) -> dict[str, Any]:
    """Traits of a widget that asks about classes."""
    return {"methods": [LRP_METHOD], "method": "lrp", "show": "relevance", "class_names": NAMES} | more


def lrp_messages() -> list[dict[str, Any]]:
    relevance = {"relevance": known_maps()["relevance"]}
    return [picture_message(known_picture()), maps_message(relevance, "lrp")]


@dataclass
class StandIn:
    """A page with a running widget."""

    page: Page
    errors: list[str] = field(default_factory=list)

    @property
    def root(self) -> Locator:
        return self.page.locator(".xw").first

    @property
    def sent(self) -> list[dict[str, Any]]:
        """Messages the widget sent to Python."""
        return self.page.evaluate("model.sent")

    @property
    def saved(self) -> list[dict[str, Any]]:
        """State the widget wrote to Python, one entry a write."""
        return self.page.evaluate("model.saved")

    @property
    def computes(self) -> list[dict[str, Any]]:
        """Requests for new numbers."""
        return [message for message in self.sent if message["type"] == "compute"]

    def frame_point(self, u: float, v: float, pane: int = 0) -> tuple[float, float]:
        """The point of the page at a share of a picture's frame."""
        box = self.root.locator(".xw-frame").nth(pane).bounding_box()
        assert box is not None
        return box["x"] + u * box["width"], box["y"] + v * box["height"]

    def track_point(self, share: float) -> tuple[float, float]:
        """The point of the page at a share of the uncertainty histogram."""
        box = self.root.get_by_role("slider", name="Uncertainty threshold").bounding_box()
        assert box is not None
        return box["x"] + share * box["width"], box["y"] + box["height"] / 2

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 10) -> None:
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down()
        for i in range(1, steps + 1):
            mouse.move(start[0] + (end[0] - start[0]) * i / steps, start[1] + (end[1] - start[1]) * i / steps)
        mouse.up()

    def update(self, **traits: Any) -> None:
        """Changes traits as Python would."""
        for name, value in traits.items():
            self.page.evaluate("([name, value]) => model.update(name, value)", [name, value])
        self.settle()

    def receive(self, message: dict[str, Any]) -> None:
        """Sends a message as Python would."""
        self.page.evaluate("({content, buffers}) => model.receive(content, buffers)", message)
        self.settle()

    def settle(self) -> None:
        """Waits until what was asked for is on screen."""
        still(self.page)

    def rest(self) -> None:
        """Waits until what was put off is done as well: what a gesture leaves is written, and said to a screen reader."""
        still(self.page, longest=REST)

    def pixel(self, x: float, y: float, pane: int = 0, view: int = 0) -> tuple[int, int, int]:
        """The colour of a canvas at a share of its width and height."""
        self.settle()
        script = """([x, y, pane, view]) => {
            const c = document.querySelectorAll(".xw")[view].querySelectorAll(".xw-frame canvas")[pane];
            const at = (share, n) => Math.min(n - 1, Math.floor(share * n));
            return [...c.getContext("2d").getImageData(at(x, c.width), at(y, c.height), 1, 1).data].slice(0, 3);
        }"""
        red, green, blue = self.page.evaluate(script, [x, y, pane, view])
        return red, green, blue

    def measures(self, name: str = "xw:draw") -> list[dict[str, Any]]:
        """The widget's own time stamps: from the first change to the end of the drawing, in ms."""
        return self.page.evaluate(
            "name => performance.getEntriesByName(name).map(e => ({duration: e.duration, work: e.detail.work}))", name
        )


def open_standin(
    page: Page,
    *,
    state: dict[str, Any] | None = None,
    messages: list[dict[str, Any]] | None = None,
    views: int = 1,
    answer: bool = True,
    size: int = 224,
    body: dict[str, str] | None = None,
) -> StandIn:
    """Opens a page with ``views`` views of one stand-in model.

    ``state`` overrides traits, ``messages`` what the model answers to "ready", ``answer=False`` is a kernel that
    never answers, ``body`` sets data attributes of the page's body, as JupyterLab does for its theme.
    """
    standin = StandIn(page)

    def log(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            standin.errors.append(message.text)

    page.on("console", log)
    page.on("pageerror", lambda error: standin.errors.append(str(error)))

    serve(page, PAGE)
    if body:
        page.evaluate("(data) => Object.assign(document.body.dataset, data)", body)
    relax = {name: m for name, m in known_maps(size).items() if name != "relevance"}
    full_state = {
        "methods": [RELAX_METHOD],
        "method": "relax",
        "title": "Why do these features look the way they do?",
        "status": {"state": "done", "done": 3000, "total": 3000, "unit": "masks", "largest_error": 0.0127},
    } | (state or {})
    if messages is None:
        messages = [picture_message(known_picture(size)), maps_message(relax)]
    json.dumps(full_state)  # a state that is not JSON would fail in the page with a riddle
    page.evaluate(
        "([state, messages, views, answer]) => start(state, messages, views, answer)",
        [full_state, messages, views, answer],
    )
    standin.settle()
    return standin


def serve(page: Page, body: str) -> None:
    """Give a page the built bundles beside its text, and wait until it has them."""

    def answer(route: Any) -> None:
        name = route.request.url.rsplit("/", 1)[-1]
        if name == "page.html":
            route.fulfill(body=body, content_type="text/html")
        elif (STATIC / name).is_file():
            route.fulfill(path=STATIC / name, content_type="text/css" if name.endswith("css") else "text/javascript")
        else:
            route.fulfill(status=204)

    page.add_init_script(WATCH)
    page.route("http://standin.test/**", answer)
    page.goto("http://standin.test/page.html")
    page.wait_for_function("window.loaded === true")
