"""The words that widgets and figures use, in one place: what each method, map, setting and choice is called, says, and rests on.

Imports nothing of ours. Names are those of the Python interface; js/src/shared/data/words.ts has those of what the browser alone controls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = [
    "CAUTION",
    "CHOICES",
    "COMPOSITES",
    "MAPS",
    "METHODS",
    "SETTINGS",
    "Word",
    "choice",
    "hardly_matters",
    "little_reached",
    "within_noise",
    "word",
]


@dataclass(frozen=True)
class Word:
    """What something is called, one sentence of help, and the paper it comes from."""

    label: str
    help: str = ""
    paper: str = ""
    """Authors and year."""
    link: str = ""
    """A DOI or an arXiv number, as "doi:…" or "arXiv:…"."""

    def plain(self) -> dict[str, str]:
        """As the browser knows it."""
        return {name: value for name, value in vars(self).items() if value and name != "label"}


_BACH = ("Bach et al. 2015", "doi:10.1371/journal.pone.0130140")
_OVERVIEW = ("Montavon et al. 2019", "doi:10.1007/978-3-030-28954-6_10")
_ATTN = ("Achtibat et al. 2024", "arXiv:2402.05602")
_ABS = ("Vukadin et al. 2024", "doi:10.1145/3649458")
_CRP = ("Achtibat et al. 2023", "arXiv:2206.03208")
_RELAX = ("Wickstrøm et al. 2022", "arXiv:2112.10161")
_RISE = ("Petsiuk et al. 2018", "arXiv:1806.07421")
_FLIPPING = ("Samek et al. 2017", "doi:10.1109/TNNLS.2016.2599820")

METHODS: Mapping[str, Word] = {
    "RELAX": Word("RELAX", "hides parts of the picture at random and sees which keep the representation the same", *_RELAX),
    "RISE": Word("RISE", "hides parts of the picture at random and sees which keep the score of the class high", *_RISE),
    "LRP": Word("LRP", "shares the score out among the neurons, layer by layer, down to the pixels", *_BACH),
    "absLRP": Word("absLRP", "shares out what speaks for the class and what speaks for the others, and shows the difference", *_ABS),
    "CRP": Word("CRP", "shares the score out as LRP does, through one concept at a time", *_CRP),
    "GradientXInput": Word("Gradient × input", "how much the score would change with each pixel, times the pixel"),
    "IntegratedGradients": Word(
        "Integrated gradients", "adds up gradients on the way from an empty picture to this one", "Sundararajan et al. 2017", "arXiv:1703.01365"
    ),
    "SmoothGrad": Word("SmoothGrad", "the mean gradient over noisy copies of the picture", "Smilkov et al. 2017", "arXiv:1706.03825"),
    "Occlusion": Word(
        "Occlusion", "covers one patch after the other and sees how far the score falls", "Zeiler and Fergus 2014", "doi:10.1007/978-3-319-10590-1_53"
    ),
    "pixel flipping": Word("Pixel flipping", "hides the picture patch by patch, as a heatmap orders them, and follows the score", *_FLIPPING),
}  # fmt: skip

MAPS: Mapping[str, Word] = {
    "relevance": Word("Relevance", "how much each pixel speaks for the class (positive) or against it (negative)"),
    "importance": Word("Importance", "the mean similarity, or score, of the masked pictures that show the pixel", *_RELAX),
    "uncertainty": Word("Uncertainty", "how much the masked pictures that show the pixel disagree; more masks do not lower it", *_RELAX),
    "u_relax": Word("U-RELAX", "importance, only where its uncertainty is among the lowest", *_RELAX),
    "sure_importance": Word("Sure importance", "importance, only where its uncertainty is among the lowest"),
    "standard_error": Word("Standard error", "how far the importance may be off for having seen so few masks; more masks lower it"),
    "difference": Word("Difference", "the first map minus the second"),
}  # fmt: skip

COMPOSITES: Mapping[str, Word] = {
    "epsilon_plus": Word("ε + z⁺", "positive contributions in convolutions (z⁺), ε in linear layers", *_OVERVIEW),
    "epsilon_plus_flat": Word("ε + z⁺, flat at the pixels", "as ε + z⁺; the first layer spreads evenly: its filters leave no pattern", *_OVERVIEW),
    "epsilon_alpha2_beta1": Word("ε + α2β1", "positive contributions twice, negative ones once in convolutions, ε in linear layers", *_BACH),
    "epsilon_alpha2_beta1_flat": Word("ε + α2β1, flat at the pixels", "as ε + α2β1; the first layer spreads evenly", *_BACH),
    "epsilon_gamma_box": Word("ε + γ, box at the pixels", "favours positive contributions; the first layer knows the range of pixels", *_OVERVIEW),
    "lrp_tutorial": Word("γ low, ε middle, 0 high", "γ in the lower half of the model, ε above, plain LRP at the top", *_OVERVIEW),
    "gradient_x_input": Word("Gradient × input", "how much the score would change with each pixel, times the pixel"),
    "attn_lrp": Word("AttnLRP", "for transformers: relevance also flows through attention weights", *_ATTN),
    "cp_lrp": Word("CP-LRP", "for transformers: attention weights are held constant", *_ATTN),
    "abs_lrp": Word("absLRP", "relative magnitudes, for the class against the others", *_ABS),
}  # fmt: skip

SETTINGS: Mapping[str, Word] = {
    "composite": Word("Composite", "which propagation rule each layer gets", *_OVERVIEW),
    "gamma": Word("γ: favour positive contributions", "larger values give calmer maps that follow what speaks for the class", *_OVERVIEW),
    "gamma_first": Word("γ of the first layer", "the same for the layer that sees the pixels", *_ATTN),
    "epsilon": Word("ε: absorb weak contributions", "larger values leave out what contributes little, and give sparser maps", *_BACH),
    "alpha": Word("α: weight of positive contributions", "negative contributions get α − 1", *_BACH),
    "zero_bias": Word("Keep relevance out of biases", "all of the score reaches the pixels: nothing is left in the layers' constants", *_BACH),
    "cells": Word("Cells a side", "into how many cells the picture is cut to hide some: more cells give finer maps that need more masks", *_RISE),
    "keep": Word("Share shown", "how much of the picture a mask leaves visible", *_RISE),
    "perturb": Word("Hidden parts", "what stands where the picture is hidden", *_RISE),
    "similarity": Word("Similarity", "how representations are compared", *_RELAX),
    "steps": Word("Steps", "points on the way from the empty picture to this one", "Sundararajan et al. 2017", "arXiv:1703.01365"),
}  # fmt: skip

CHOICES: Mapping[str, Mapping[str, Word]] = {
    "composite": COMPOSITES,
    "perturb": {
        "zero": Word("zero (the mean colour)"),
        "mean": Word("the picture's mean"),
        "blur": Word("the picture, blurred"),
        "noise": Word("random noise"),
        "inpaint": Word("filled in from around"),
        "telea": Word("filled in from around (Telea)"),
        "random": Word("random value, a step"),
        "random_pixel": Word("random value, a pixel"),
        "gray": Word("mid grey"),
    },
    "similarity": {
        "cosine": Word("cosine (direction)"),
        "dot": Word("dot product"),
        "l2": Word("distance, negative"),
    },
}
"""Readable names of what a setting may be, by the setting's name."""


CAUTION = "caution"
"""The label of a note that says what a picture must not be taken for."""


def hardly_matters(what: str, change: float) -> str:
    """Of masked pictures: ``change`` is the largest mean change, a share of one."""
    return f"Hiding parts changes {what} by at most {_percent(change)}: hardly anything here matters."


def within_noise(spread: float, error: float) -> str:
    """Of masked pictures: the map's range, and its largest standard error."""
    return (
        f"The map's range ({spread:.2g}) is within its standard errors ({error:.2g}): what it shows may be chance. "
        "More masks tell."
    )


def little_reached(share: float) -> str:
    """Of relevance: the share of the score that is in the map."""
    return (
        f"Only {_percent(abs(share))} of the score reached the pixels: try the composite with γ and box, or zero bias."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def word(words: Mapping[str, Word], name: str, label: str = "") -> Word:
    """The word of a name; of a name that has none its own label, with nothing said."""
    return words.get(name) or Word(label or name)


def choice(setting: str, value: Any) -> str:
    """What a value of a setting is called; values that have no name of their own are shown as they are."""
    return word(CHOICES.get(setting, {}), str(value)).label
