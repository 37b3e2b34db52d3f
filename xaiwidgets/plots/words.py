"""How figures of concepts speak: colours for and against, names of concepts and classes, signed numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Text

__all__ = ["AGAINST", "FAINT", "FOR", "INK", "MAP", "Names", "Words", "plain_text", "signed"]

# Okabe and Ito's: for the class, against it. The map of heatmaps has the same two hues.
FOR, AGAINST = "#D55E00", "#0072B2"
MAP = "RdBu_r"
INK, FAINT = "#222222", "#8a8a8a"

Names = Mapping[tuple[str, int], str]


@dataclass(frozen=True)
class Words:
    """What concepts and classes are called."""

    names: Names | None
    class_names: Sequence[str] | None

    def concept(self, layer: str, unit: int, otherwise: str) -> str:
        return (self.names or {}).get((layer, unit), otherwise)

    def target(self, target: Any) -> str:
        if isinstance(target, tuple):
            return " + ".join(self.target(entry) for entry in target)
        if isinstance(target, str):
            return target
        return f"class {target}" if self.class_names is None else str(self.class_names[target])


def plain_text(figure: Figure) -> Figure:
    """The figure with all text taken as it is: a name may hold dollar signs, which matplotlib would read as formulas."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    return figure


def signed(value: float, digits: str) -> str:
    return f"{value:+{digits}}".replace("-", "−")
