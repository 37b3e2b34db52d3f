"""One vocabulary: whatever a person may vary or choose has a readable name and a sentence, and the same everywhere."""

from __future__ import annotations

import re

import pytest

from xaiwidgets import RELAX, RISE, AbsLRP, ImageModel, IntegratedGradients
from xaiwidgets.lrp import LRP
from xaiwidgets.lrp.composites import COMPOSITES
from xaiwidgets.relax.parts import FILLS, SIMILARITIES
from xaiwidgets.words import CHOICES, MAPS, METHODS, SETTINGS, Word, choice, word


def explainers(model: ImageModel) -> list[object]:
    by_composite = [LRP(model, composite) for composite in COMPOSITES if composite != "abs_lrp"]
    return [RELAX(model), RISE(model), AbsLRP(model), IntegratedGradients(model), *by_composite]


def test_every_control_has_the_words_of_its_name(small: ImageModel) -> None:
    seen = set()
    for explainer in explainers(small):
        for control in explainer.controls():  # type: ignore[attr-defined]
            seen.add(control["name"])
            assert control["label"] == SETTINGS[control["name"]].label
            assert SETTINGS[control["name"]].help
            for option in control.get("options", []):
                assert CHOICES[control["name"]][option].label != option, f"{option} has no readable name"
    assert seen == set(SETTINGS), "words that nobody uses"


def test_choices_are_those_of_the_package() -> None:
    assert set(CHOICES["composite"]) == set(COMPOSITES)
    assert set(FILLS) <= set(CHOICES["perturb"])
    assert set(CHOICES["similarity"]) == set(SIMILARITIES)
    for words in CHOICES.values():
        labels = [entry.label for entry in words.values()]
        assert len(set(labels)) == len(labels), "two choices that read the same"


@pytest.mark.parametrize("words", [METHODS, MAPS, SETTINGS, CHOICES["composite"]])
def test_help_is_one_sentence_and_names_where_to_read_on(words: dict[str, Word]) -> None:
    for name, entry in words.items():
        assert entry.help, name
        assert len(entry.help) < 130, name
        assert not re.search(r"[.!?]\s|[.]$", entry.help), f"{name}: one sentence, without its full stop"
        assert bool(entry.paper) == bool(entry.link), name
        assert not entry.link or re.fullmatch(r"doi:10\.\d+/\S+|arXiv:\d{4}\.\d{5}", entry.link), name


def test_papers_are_those_that_are_to_be_cited(pytestconfig: pytest.Config) -> None:
    cited = (pytestconfig.rootpath / "CITATION.cff").read_text(encoding="utf-8")
    for words in (METHODS, MAPS, SETTINGS, *CHOICES.values()):
        for entry in words.values():
            if entry.link:
                assert entry.link.removeprefix("doi:") in cited, entry


def test_what_has_no_words_keeps_its_name() -> None:
    assert word(METHODS, "mine", "Mine, v2") == Word("Mine, v2")
    assert choice("composite", "epsilon_plus") == "ε + z⁺"
    assert choice("composite", "my own") == "my own"
    assert choice("cells", 7) == "7"
