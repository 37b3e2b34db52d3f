"""Asking by pointing: what a person points at in the overlay becomes a target with a name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xaiwidgets.widgets.choices import check_image
from xaiwidgets.widgets.heatmap.figures import HeatmapFigures
from xaiwidgets.widgets.heatmap.places import Place, place_of

__all__ = ["HeatmapAsking"]


class HeatmapAsking(HeatmapFigures):
    """The overlay, to be pointed at."""

    _asked: dict[int, dict[str, Place]]

    def _on_ask(self, content: dict[str, Any]) -> None:
        """A person pointed at something: it becomes a target by name, and is explained."""
        image = check_image(int(content["image"]), len(self._x))
        chosen = None if self._classes.is_named(self.target) else self.target
        name, target, place = self._places.asked(image, content, chosen)
        index = self._classes.index("target", {name: target})
        assert index is not None
        self._asked.setdefault(index, {})[str(image)] = place
        self.class_names = list(self._classes.names)
        self._list_targets()
        if self.beside and index not in self.beside:
            self.beside = [*self.beside, index]
        with self.hold_trait_notifications():
            self.image, self.target = image, index

    def _on_forget(self, content: dict[str, Any]) -> None:
        """A person takes a target off the list."""
        index = int(content["index"])
        if not self._classes.is_named(index):
            return
        with self.hold_trait_notifications():
            self.beside = [other for other in self.beside if other != index]
            self.target, self.against = (None if one == index else one for one in (self.target, self.against))
        self._asked.pop(index, None)
        self.forgotten = [*self.forgotten, index]
        self._list_targets()

    def _list_targets(self, _: Any = None) -> None:
        """Say which targets there are beside the classes, and where they are."""
        said = []
        asked = {self.target, self.against, *self.beside}
        self.forgotten = [index for index in self.forgotten if index not in asked]
        for index, (name, target) in enumerate(self._classes.named.items(), len(self._classes.classes)):
            if index in self.forgotten:
                continue
            everywhere = dict.fromkeys(map(str, range(len(self._x))), place) if (place := place_of(target)) else {}
            said.append({"index": index, "name": name, "places": self._asked.get(index, everywhere)})
        self.targets = said

    def _introduce(self, image: int) -> Iterator[None]:
        """What can be pointed at in the image, before what all widgets tell of it."""
        packet = self._places.packet(image)
        if packet is not None and id(packet) not in self._told:
            self._told.add(id(packet))
            self._post(packet)
            yield
        yield from super()._introduce(image)
