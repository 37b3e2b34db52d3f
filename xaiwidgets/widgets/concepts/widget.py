"""The concept browser: which concepts a model uses for an image, where they are, where it learned them, what they are made of."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import traitlets
from torch import Tensor

from xaiwidgets.crp import CRP
from xaiwidgets.errors import check_keywords
from xaiwidgets.index.reference_index import ReferenceIndex
from xaiwidgets.widgets.album import Album, labels_of
from xaiwidgets.widgets.choices import Classes, check_image, given_pixels
from xaiwidgets.widgets.concepts.answers import LANES, Answers, Want, key_of
from xaiwidgets.widgets.concepts.names import FILE, ConceptNames
from xaiwidgets.widgets.concepts.pages import ConceptPages
from xaiwidgets.widgets.concepts.snapshot import snapshot
from xaiwidgets.widgets.concepts.state import SELECTION
from xaiwidgets.widgets.jobs import Job
from xaiwidgets.widgets.pace import Pace
from xaiwidgets.widgets.wire import Packet
from xaiwidgets.words import METHODS

_ALBUM_LANE = LANES["tiles"] - 1
"""What the model says comes after the heatmaps, and before many small pictures of concepts."""
_SNAPSHOT_LANE = max(LANES.values()) + 1
_SETTLED = 1.5
"""Seconds without work after which a notebook's saved picture is renewed: more often would fill the wire."""
_REST = 0.4
"""Seconds that pictures wait after a question of a drag."""


class ConceptBrowser(ConceptPages):
    """The concepts a model uses for an image: ranked, seen on the image and on those that show them best, named, followed down.

    Args:
        crp: a :class:`CRP`. x: images (N, C, H, W), as :meth:`ImageModel.prepare` makes.
        index: a :class:`ReferenceIndex` or its folder; None: no reference images.
        dataset: the data set of the index, for the images themselves.
        target: the class to explain, an index or a name; None for the predicted one; any other target, or several by name, which then
            stand after the classes.
        names: the file for names and notes; default: ``names.json`` in the index's folder; without an index, memory only.
        pixels: what to show, (N, C, H, W) in [0, 1]; default: x as people see it.
        labels: the true class of each image, an index or a name, or None; what the model says is then marked as right or wrong.
        view: any trait of the view, such as ``layer="conv5"``, ``concept=42``, ``box=(10, 10, 30, 40)``, ``order="activation"``,
            ``opacity=0.5``.

    What is selected is a trait each (`layer`, `concept`, `box`, …) and together :attr:`selection`; :attr:`names` holds names and
    notes; :attr:`result` the numbers on screen. All can be read and set in Python.

    Raises:
        TypeError, ValueError: arguments that do not fit each other.

    Example:
        >>> w = xw.ConceptBrowser(xw.CRP(model), x, layer="features.conv6", target="star")
        >>> w.wait(), w.selection["layer"]
        (True, 'features.conv6')
    """

    def __init__(
        self,
        crp: CRP,
        x: Tensor,
        *,
        index: ReferenceIndex | str | Path | None = None,
        dataset: Any = None,
        target: Any = None,
        names: str | Path | None = None,
        pixels: Tensor | None = None,
        labels: Sequence[int | str | None] | None = None,
        **view: Any,
    ) -> None:
        if not isinstance(crp, CRP):
            raise TypeError(f"crp is {type(crp).__name__}; give a CRP, such as xaiwidgets.CRP(model)")
        model = crp.model
        x = model.validate(x)
        if isinstance(index, str | Path):
            index = ReferenceIndex.open(index)
        if index is not None:
            index.check(crp, dataset)
        shown = model.pixels(x).cpu() if pixels is None else given_pixels(pixels, x)
        self._classes = Classes(model, x)
        self._answers = Answers(crp, x, shown, classes=self._classes, index=index, dataset=dataset, progress=self._say)
        self._index = index
        target = self._classes.index("target", target)
        known_labels = labels_of(labels, self._classes, len(x))
        self._named_layers = set(self._answers.layers.names)
        self._pace = Pace()
        self._under_way: dict[int, tuple[str, int | None]] = {}
        self._timer: threading.Timer | None = None
        self._heard = False
        file = Path(names) if names is not None else None if index is None else index.path / FILE
        self._names = ConceptNames(file, self._show_names)
        view = {"layer": _first_layer(self._answers.layers), **view}
        if view.get("box") is not None:
            view["box"] = [int(side) for side in view["box"]]
        super().__init__(**view)
        self._album = Album(model, x, shown, known_labels)
        self.model_name = model.name
        self.about = {"label": METHODS["CRP"].label, **METHODS["CRP"].plain()}
        self.images = len(x)
        self.class_names = list(self._classes.names)
        self.layers = self._listed()
        if index is not None:
            self.index_info = {"samples": index.samples, "pictures": self._answers.gallery.pictures}
        self._show_names()
        self.target = target
        self._begin()

    # -- what can be chosen ----------------------------------------------------------------------------------------------

    @traitlets.validate("image")
    def _valid_image(self, proposal: Any) -> int:
        return check_image(proposal["value"], len(self._answers.x))

    @traitlets.validate("layer")
    def _valid_layer(self, proposal: Any) -> str:
        layer: str = proposal["value"]
        _ = self._answers.layer(layer)
        if layer not in self._named_layers:
            # The browser must have it in its list before it is chosen.
            self._named_layers.add(layer)
            self.layers = self._listed()
        return layer

    @traitlets.validate("concept")
    def _valid_concept(self, proposal: Any) -> int | None:
        concept: int | None = proposal["value"]
        return None if concept is None else self._answers.check_concept(self.layer, concept)

    @traitlets.validate("box")
    def _valid_box(self, proposal: Any) -> list[int] | None:
        box: list[int] | None = proposal["value"]
        return None if box is None else self._answers.check_box(box)

    @traitlets.validate("trail")
    def _valid_trail(self, proposal: Any) -> list[list[Any]]:
        return [[layer, self._answers.check_concept(layer, concept)] for layer, concept in proposal["value"]]

    @traitlets.observe("layer")
    def _leave_concept(self, change: Any) -> None:
        if self.concept is not None and self.concept >= self._answers.layer(self.layer).units:
            self.concept = None

    def _listed(self) -> list[dict[str, Any]]:
        """The layers worth ranking, and others that somebody named, from input to output."""
        known, indexed = self._answers.layers, () if self._index is None else self._index.layers
        return [
            {"name": name, "units": known[name].units, "kind": _kind(known[name]), "indexed": name in indexed}
            for name in sorted(self._named_layers, key=known.propagator.index)
        ]

    # -- what Python users call ------------------------------------------------------------------------------------------

    @property
    def selection(self) -> dict[str, Any]:
        """What is selected: image, target, against, layer, concept, box and trail; set it as a whole or in part."""
        found = {name: getattr(self, name) for name in SELECTION}
        explained = self._focus().target
        return {
            **found,
            "concept": self._concept(),
            "target": explained if isinstance(explained, int) else self.target,
        }

    @selection.setter
    def selection(self, wanted: Mapping[str, Any]) -> None:
        if not isinstance(wanted, Mapping):
            raise TypeError(f"selection={wanted!r} is no selection; give a dict with any of {', '.join(SELECTION)}")
        check_keywords("selection", wanted, SELECTION)
        if wanted.get("layer", self.layer) != self.layer and "concept" not in wanted:
            wanted = {**wanted, "concept": None}
        if "trail" not in wanted:
            wanted = {**wanted, "trail": []}
        if wanted.get("box") is not None:
            wanted = {**wanted, "box": [int(side) for side in wanted["box"]]}
        # All of it is taken, or nothing.
        with self.hold_sync(), self.hold_trait_notifications():
            for name, value in wanted.items():
                setattr(self, name, value)

    @property
    def names(self) -> ConceptNames:
        """Names and notes by (layer, concept): ``browser.names["conv5", 42] = "stripes"``."""
        return self._names

    @names.setter
    def names(self, names: Mapping[tuple[str, int], str]) -> None:
        for (layer, concept), name in names.items():
            self._names[layer, concept] = name

    # -- messages --------------------------------------------------------------------------------------------------------

    def _on_ready(self, content: dict[str, Any]) -> None:
        self._heard = True
        self._names.reload()
        self._show_names()
        for packet in [*(self._present() or [self._plain_picture()]), *self._known_images()]:
            self._post(packet)
        self._post(Packet({"type": "welcome"}))

    def _on_ask(self, content: dict[str, Any]) -> None:
        self._heard = True
        self._ask(content["want"], content.get("id"))

    def _on_label(self, content: dict[str, Any]) -> None:
        layer, concept = content["layer"], content["concept"]
        self._answers.check({"kind": "heatmap", "layer": layer, "concept": concept})
        self._names.set(layer, concept, name=content.get("name", ""), note=content.get("note", ""))

    # -- work ------------------------------------------------------------------------------------------------------------

    def _ask(self, want: Want, request: int | None) -> None:
        """Answer at once what is known; else a job does, in place of an older question of the kind."""
        self._answers.check(want)
        lane, key = LANES[want["kind"]], key_of(want)
        under_way = self._under_way.get(lane)
        if under_way is not None and under_way[0] == key:
            self._under_way[lane] = (key, request)
            return
        known = self._answers.known(want)
        if known is not None:
            for packet in known:
                self._post(_answering(packet, request))
            return
        self._under_way[lane] = (key, request)
        self._runner.submit(
            Job(
                start=lambda: self._steps(want, lane, key),
                on_stop=lambda: self._over("stopped"),
                on_error=lambda error: self._failed(error, lane, key),
                lane=lane,
                rest=_REST if lane >= LANES["references"] else 0.0,
            )
        )

    def _steps(self, want: Want, lane: int, key: str) -> Iterator[None]:
        """One answer, piece by piece; runs in the worker."""
        for packet in self._answers.steps(want):
            _, request = self._under_way.get(lane, (key, None))
            self._post(_answering(packet, request))
            yield
        if want["kind"] == "focus":
            self._meet(want["image"])
        self._finished(lane, key)

    def _finished(self, lane: int, key: str) -> None:
        if self._under_way.get(lane, ("",))[0] == key:
            del self._under_way[lane]
        if not self._under_way:
            self._over("done")

    def _over(self, state: str) -> None:
        if state == "stopped":
            self._under_way.clear()
        if self.status["state"] == "running":
            # How far it came matters only where it did not come to its end.
            self.status = {"state": "done"} if state == "done" else {**self.status, "state": state}
        self._settle()

    def _failed(self, error: Exception, lane: int, key: str) -> None:
        self._finished(lane, key)
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._show_error(error)
        if not self._answers.has_focus(self._question()):
            # What is known without the explanation is shown all the same.
            self._post(self._plain_picture())
            self._meet(self.image)

    def _say(self, done: int, total: int, unit: str) -> None:
        """Progress, where it takes long enough to be seen."""
        if self._pace.due() and done < total:
            said: dict[str, Any] = {"state": "running", "done": done, "total": total, "unit": unit}
            self.status = said
            self._pace.shown()

    def _begin(self) -> None:
        """Compute what is shown first, before anybody asks: a cell that keeps the kernel busy delays questions."""
        self._runner.submit(Job(start=self._first_steps, on_error=self._fail, lane=LANES["focus"]))

    def _first_steps(self) -> Iterator[None]:
        for want in self._wants():
            if LANES[want["kind"]] >= LANES["references"]:
                # In a lane of its own: a person may ask for something else by then.
                self._ask(want, None)
                continue
            for packet in self._answers.steps(want) if self._answers.known(want) is None else ():
                self._post(packet)
                yield
        self._meet(self.image)
        if not self._under_way:
            self._over("done")

    def _meet(self, image: int) -> None:
        """Say what the model says of an image, and then of all, when nothing more urgent is to be done."""
        self._runner.submit(Job(start=lambda: self._introduce(image), lane=_ALBUM_LANE))

    def _settle(self) -> None:
        """Renew what a saved notebook shows, once nothing has happened for a moment."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(_SETTLED, self._renew)
        self._timer.daemon = True
        self._timer.start()

    def _renew(self) -> None:
        self._runner.submit(Job(start=self._renewed, lane=_SNAPSHOT_LANE))

    def _renewed(self) -> Iterator[None]:
        said = None if self._album is None else self._album.prediction(self.image)
        self.snapshot = snapshot([*([] if said is None else [said]), *self._present()])
        yield

    def _show_names(self) -> None:
        self.labels = self._names.plain()

    def _finish(self, images: Sequence[int]) -> None:
        """What the picture needs is computed as well, where nobody asked for it yet."""
        for want in self._wants():
            if self._answers.known(want) is None:
                for _ in self._answers.steps(want):
                    pass
        if not self._under_way:
            self._over("done")
        super()._finish(images)

    def close(self) -> None:
        """Stop, free everything, and remove the widget from the page."""
        timer = vars(self).get("_timer")
        if timer is not None:
            timer.cancel()
        super().close()
        if "_answers" in vars(self):
            self._answers.forget()
            self._index = None
            self._classes = Classes(None, self._answers.x)


def _answering(packet: Packet, request: int | None) -> Packet:
    return replace(packet, content={**packet.content, "request": request})


def _kind(concept: Any) -> str:
    return str(getattr(concept, "kind", "concept"))


def _first_layer(known: Any) -> str:
    """The last layer that still has places: its concepts are the most telling that can be seen on the image."""
    placed = [name for name in known.names if getattr(known[name], "space", ())]
    return str((placed or known.names)[-1])
