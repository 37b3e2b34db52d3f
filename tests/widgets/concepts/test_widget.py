"""The concept browser's Python side, without a browser."""

from __future__ import annotations

import base64
import gc
import json
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.widgets.conftest import Recorder, made_and_closed, until
from xaiwidgets import CRP, ConceptBrowser, ImageModel, ReferenceIndex
from xaiwidgets.demo import Shapes
from xaiwidgets.widgets.wire import SNAPSHOT_LIMIT

LAYER, LOWER = "features.conv6", "features.conv5"
Browse = Callable[..., "Recorded"]


class Recorded(Recorder, ConceptBrowser):
    """A concept browser that keeps its messages."""

    def ask(self, kind: str, request: int = 1, **want: Any) -> tuple[dict[str, Any], list[bytes]]:
        """What Python answers to a question."""
        self.sent.clear()
        self._receive(self, {"type": "ask", "id": request, "want": {"kind": kind, **want}}, [])
        assert self.wait(30)
        return self.packets(kind)[-1]


@pytest.fixture(scope="module")
def crp(cnn: ImageModel) -> CRP:
    return CRP(cnn)


@pytest.fixture(scope="module")
def data() -> Shapes:
    return Shapes(24)


@pytest.fixture(scope="module")
def index(crp: CRP, data: Shapes, tmp_path_factory: pytest.TempPathFactory) -> ReferenceIndex:
    folder = tmp_path_factory.mktemp("concepts") / "index"
    return ReferenceIndex.build(crp, data, folder, layers=[LAYER, LOWER], progress=False)


@pytest.fixture
def browse(crp: CRP, x: Tensor) -> Iterator[Browse]:

    def begun(*, wait: bool = True, **options: Any) -> Recorded:
        widget = Recorded(options.pop("crp", crp), options.pop("x", x), **options)
        if wait:
            assert widget.wait(60)
        return widget

    yield from made_and_closed(begun)


CHOICES: list[tuple[dict[str, Any], str]] = [
    ({"layer": "foo"}, "layer='foo' is not in this model; nearest"),
    ({"image": 9}, "image=9 is not there; give 0 to 2"),
    ({"concept": 999}, "concept=999 is not in .*; give 0 to"),
    ({"target": 99}, "target=99 is not a class of the model; give 0 to 7, a name, or None"),
    ({"against": "cat"}, "against='cat' is not known"),
    ({"box": [0, 0, 99, 9]}, r"box=\(0, 0, 99, 9\) reaches outside the image"),
    ({"trail": [[LAYER, 999]]}, "concept=999 is not in features.conv6"),
]


QUESTION: dict[str, Any] = {"image": 0, "target": None, "against": None}


def floats(data: bytes) -> Tensor:
    return torch.from_numpy(np.frombuffer(data, "<f4").copy())


def read_map(header: dict[str, Any], data: bytes) -> Tensor:
    dtype = {"float16": "<f2", "float32": "<f4"}[header["dtype"]]
    return torch.from_numpy(np.frombuffer(data, dtype).astype(np.float32)).view(*header["shape"])


def close_to(found: Tensor, expected: Tensor) -> bool:
    """As close as half precision, relative to the largest value."""
    return bool((found - expected).abs().max() <= 1e-3 * expected.abs().max())


class TestAnswers:
    def test_what_is_sent_first_is_the_explainers(self, browse: Browse, crp: CRP, x: Tensor) -> None:
        w = browse()
        kinds = [content["type"] for content, _ in w.sent]
        assert kinds[:3] == ["focus", "ranking", "heatmap"]
        assert set(kinds) == {"focus", "ranking", "heatmap", "graph", "tiles", "prediction", "album"}
        focus = crp.focus(x[:1])
        content, (pixels, heat) = w.packets("focus")[0]
        assert content["target"] == focus.target
        assert content["score"] == pytest.approx(float(focus.output[0, int(focus.target)]))
        assert close_to(read_map(content["map"], heat), crp(x[:1]).heatmap[0])
        assert np.frombuffer(pixels, np.uint8).reshape(content["shape"]).shape == (64, 64, 3)
        _, (relevance, activation) = w.packets("ranking")[0]
        torch.testing.assert_close(floats(relevance), focus.relevance[LAYER])
        torch.testing.assert_close(floats(activation), focus.activation(LAYER))
        assert w.index_info is None
        assert w.layer == LAYER, "the last layer that has places"
        strongest = int(focus.rank(LAYER).concepts[0, 0])
        content, (heat,) = w.packets("heatmap")[0]
        assert content["want"]["concept"] == strongest
        assert close_to(read_map(content["map"], heat), focus.heatmaps(LAYER, [strongest])[0])

    def test_every_kind_of_question(self, browse: Browse, crp: CRP, x: Tensor) -> None:
        w = browse()
        other = {"image": 1, "target": 2, "against": 5}
        _, (relevance, _) = w.ask("ranking", **other, layer=LOWER)
        focus = crp.focus(x[1:2], 2, 5)
        torch.testing.assert_close(floats(relevance), focus.relevance[LOWER])
        content, (inside,) = w.ask("region", 77, **other, layer=LOWER, box=[4, 8, 30, 40])
        assert content["request"] == 77
        expected = crp.region(x[1:2], (4, 8, 30, 40), 2, [LOWER], against=5).relevance[LOWER][0]
        torch.testing.assert_close(floats(inside), expected)
        content, _ = w.ask("graph", **other, layer=LOWER, concept=3)
        graph = focus.graph(LOWER, 3)
        assert {(n["layer"], n["concept"]) for n in content["nodes"]} == {(n.layer, n.concept) for n in graph.nodes}
        for edge in content["edges"]:
            a, b = (content["nodes"][edge[end]] for end in ("source", "target"))
            assert any(
                (graph.nodes[e.source].concept, graph.nodes[e.target].concept) == (a["concept"], b["concept"])
                and e.relevance == pytest.approx(edge["relevance"])
                for e in graph.edges
            )

    def test_an_answer_that_is_there_is_sent_again_at_once(self, browse: Browse) -> None:
        w = browse()
        want = {**QUESTION, "layer": LAYER, "concept": 5}
        _, first = w.ask("heatmap", 1, **want)
        w.sent.clear()
        w._receive(w, {"type": "ask", "id": 2, "want": {"kind": "heatmap", **want}}, [])
        content, again = w.sent[0]
        assert content["request"] == 2
        assert again == first

    def test_references_and_tiles_come_from_the_index(
        self, browse: Browse, index: ReferenceIndex, data: Shapes, crp: CRP
    ) -> None:
        w = browse(index=index, dataset=data)
        concept = w.selection["concept"]
        messages = w.packets("references")
        items = [item for content, _ in messages for item in content["items"]]
        top = index.top(LAYER, concept)
        assert [item["sample"] for item in items] == top.samples.tolist()
        assert [item["score"] for item in items] == pytest.approx(top.scores.tolist())
        assert messages[0][0]["items"] == [], "the classes first"
        assert messages[0][0]["classes"][0]["target"] == index.classes(LAYER, concept)[0].target
        content, buffers = messages[1]
        item = content["items"][0]
        sample, target = items[0]["sample"], items[0]["target"]
        expected = crp(data[sample][0][None], target, layer=LAYER, concepts=[concept]).heatmap[0]
        assert close_to(read_map(item["map"], buffers[1]), expected)
        left, top_, right, bottom = item["box"]
        assert 0 <= left < right <= 64
        assert 0 <= top_ < bottom <= 64
        tiles = w.packets("tiles")
        places = [place for content, _ in tiles for place in content["places"]]
        assert {(LAYER, slot) for _, _, slot, _ in places} >= {(LAYER, 0), (LAYER, 1), (LAYER, 2)}
        for content, (pixels,) in tiles:
            assert len(pixels) == sum(place[3] for place in content["places"]) * content["side"] ** 2 * 3
        _, _ = w.ask("references", layer=LAYER, concept=concept, by="activation", pool="max", of=2)
        items = [item for content, _ in w.packets("references") for item in content["items"]]
        assert [item["sample"] for item in items] == index.top(
            LAYER, concept, by="activation", pool="max", target=2
        ).samples[: len(items)].tolist()

    def test_an_index_without_its_images(self, browse: Browse, index: ReferenceIndex) -> None:
        w = browse(index=index)
        assert w.index_info == {"samples": 24, "pictures": False}
        items = [item for content, _ in w.packets("references") for item in content["items"]]
        assert len(items) == 8
        assert not any("shape" in item for item in items)

    def test_a_box_goes_before_pictures(self, browse: Browse) -> None:
        w = browse()
        order: list[str] = []
        answers = w._answers.steps

        def noted(want: Any) -> Iterator[Any]:
            for packet in answers(want):
                order.append(want["kind"])
                if want["kind"] == "tiles" and "region" not in order:
                    box = {"kind": "region", **QUESTION, "layer": LAYER, "box": [0, 0, 9, 9]}
                    w._receive(w, {"type": "ask", "id": 9, "want": box}, [])
                yield packet

        w._answers.steps = noted  # type: ignore[method-assign]
        places = [["features.conv2", unit] for unit in range(12)]
        w.ask("tiles", **QUESTION, concepts=places, by="relevance", pool="sum")
        assert order == ["tiles", "region", *["tiles"] * 5]

    @pytest.mark.parametrize(
        ("want", "said"),
        [
            ({"kind": "nonsense"}, "kind='nonsense' is not known"),
            ({"kind": "focus", "image": 9, "target": None, "against": None}, "image=9 is not there; give 0 to 2"),
            ({"kind": "focus", **QUESTION, "target": 99}, "99"),
            ({"kind": "ranking", **QUESTION, "layer": "features.conv9"}, "layer='features.conv9' is not in this model"),
            ({"kind": "heatmap", **QUESTION, "layer": LAYER, "concept": 96}, "concept=96 is not in features.conv6"),
            ({"kind": "region", **QUESTION, "layer": LAYER, "box": [0, 0, 99, 9]}, "outside the image"),
            ({"kind": "region", **QUESTION, "layer": LAYER, "box": [5, 5, 5, 9]}, "is empty"),
            (
                {"kind": "references", "layer": LAYER, "concept": 1, "by": "relevance", "pool": "sum", "of": None},
                "there is no reference index",
            ),
        ],
    )
    def test_questions_that_make_no_sense_are_shown(self, browse: Browse, want: dict[str, Any], said: str) -> None:
        w = browse()
        w._receive(w, {"type": "ask", "id": 1, "want": want}, [])
        assert w.wait(20)
        assert w.status["state"] == "error"
        assert said in w.status["message"]

    def test_stop(self, browse: Browse) -> None:
        w = browse()
        gate = threading.Semaphore(0)
        owned = w._answers.gallery._own

        def slow(*arguments: Any) -> Any:
            assert gate.acquire(timeout=20)
            return owned(*arguments)

        w._answers.gallery._own = slow
        want = {"kind": "tiles", **QUESTION, "concepts": [[LOWER, unit] for unit in range(40)], "by": "relevance"}
        w._receive(w, {"type": "ask", "id": 1, "want": {**want, "pool": "sum"}}, [])
        gate.release(1)
        time.sleep(0.2)
        gate.release(1)
        until(lambda: w.status["state"] == "running")
        w._receive(w, {"type": "stop"}, [])
        gate.release(1)
        assert w.wait(20)
        assert w.status["state"] == "stopped"
        assert 0 < int(w.status["done"]) < 40


class TestState:
    def test_selection(self, browse: Browse) -> None:
        w = browse(concept=3, box=(1, 2, 30, 40))
        target = w.selection["target"]
        assert w.selection == {
            "image": 0, "target": target, "against": None, "layer": LAYER, "concept": 3, "box": [1, 2, 30, 40], "trail": []
        }  # fmt: skip
        w.selection = {"layer": LOWER, "target": "ring", "box": None}
        assert (w.layer, w.concept, w.box) == (LOWER, None, None)
        assert w.target == w.class_names.index("ring")
        assert w.selection["concept"] == int(w.result.ranking.concepts[0, 0])
        for wrong, said in (
            ({"layer": "conv"}, "layer='conv' is not in this model; nearest"),
            ({"concept": 64}, r"concept=64 is not in features.conv5, which has 64"),
            ({"image": 3}, "image=3 is not there"),
            ({"target": "cat"}, "target='cat' is not known"),
        ):
            with pytest.raises(ValueError, match=said):
                w.selection = wrong
        with pytest.raises(TypeError, match="selection takes no keyword 'bax'"):
            w.selection = {"bax": 1}

    def test_result_is_what_the_explainer_says(
        self, browse: Browse, crp: CRP, x: Tensor, index: ReferenceIndex, data: Shapes
    ) -> None:
        w = browse(index=index, dataset=data, image=2, layer=LOWER, concept=7, box=(0, 0, 20, 20), against=1)
        found = w.result
        focus = crp.focus(x[2:], None, 1)
        assert (found.layer, found.concept, found.target) == (LOWER, 7, focus.target)
        torch.testing.assert_close(found.ranking.share, focus.rank(LOWER).share)
        torch.testing.assert_close(found.heatmap, focus.heatmaps(LOWER, [7]))
        torch.testing.assert_close(found.class_heatmap, focus.heatmap)
        assert found.region is not None
        torch.testing.assert_close(found.region, focus.region((0, 0, 20, 20), [LOWER])[LOWER])
        assert found.references is not None
        assert torch.equal(found.references.samples, index.top(LOWER, 7).samples)

    def test_arguments_that_do_not_fit(
        self, crp: CRP, x: Tensor, index: ReferenceIndex, cnn: ImageModel, vit: ImageModel
    ) -> None:
        with pytest.raises(TypeError, match=r"crp is ImageModel; give a CRP"):
            ConceptBrowser(cnn, x)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="layer='conv9' is not in this model; nearest"):
            ConceptBrowser(crp, x, layer="conv9")
        with pytest.raises(ValueError, match="another model"):
            ConceptBrowser(CRP(vit), x, index=index)
        with pytest.raises(ValueError, match="of a data set of 24 samples"):
            ConceptBrowser(crp, x, index=index, dataset=Shapes(23))
        with pytest.raises(TypeError, match="takes no keyword 'conecpt'; did you mean 'concept'"):
            ConceptBrowser(crp, x, conecpt=3)
        with pytest.raises(ValueError, match="pixels has shape"):
            ConceptBrowser(crp, x, pixels=x[:1])
        with pytest.raises(FileNotFoundError, match="holds no index"):
            ConceptBrowser(crp, x, index="nowhere")
        with pytest.raises(TypeError, match="pixels is str; give a tensor or array"):
            ConceptBrowser(crp, x, pixels="cat.jpg")  # type: ignore[arg-type]
        for view, said in CHOICES:
            with pytest.raises(ValueError, match=said):
                ConceptBrowser(crp, x, **view)

    @pytest.mark.parametrize(("view", "said"), CHOICES)
    def test_what_is_set_is_checked_and_refused(
        self, browse: Browse, view: dict[str, Any], said: str, tmp_path: Path
    ) -> None:
        w = browse(layer=LOWER, concept=3, image=1, pixels=torch.rand(3, 3, 64, 64).numpy())
        before = {name: getattr(w, name) for name in ("image", "target", "against", "layer", "concept", "box", "trail")}
        for name, value in view.items():
            with pytest.raises(ValueError, match=said):
                setattr(w, name, value)
        with pytest.raises(ValueError, match=said):
            w.set_state({"order": "activation", "reference_class": 1, **view})
        with pytest.raises(ValueError, match=said):
            w.selection = {"against": 1, "box": [1, 1, 9, 9], **view}
        assert {name: getattr(w, name) for name in before} == before
        assert (w.order, w.reference_class) == ("relevance", None), "what came with it is taken back"
        assert w.save(tmp_path / "a.png").exists()

    def test_what_comes_together_is_taken_together(self, browse: Browse) -> None:
        w = browse(layer=LOWER, concept=63)
        w.set_state({"concept": 90, "layer": LAYER, "target": 2, "image": 2, "trail": [[LAYER, 90]]})
        assert (w.layer, w.concept, w.target, w.image, w.trail) == (LAYER, 90, 2, 2, [[LAYER, 90]])
        w.selection = {"concept": 60, "layer": LOWER, "target": "ring"}
        assert (w.layer, w.concept, w.trail) == (LOWER, 60, [])
        w.selection = {"concept": 95, "layer": LAYER}
        w.layer = LOWER
        assert w.concept is None, "there is no such concept in this layer"
        w.target = "star"
        assert w.target == w.class_names.index("star")

    def test_any_layer_that_has_concepts(self, browse: Browse, vit: ImageModel, x: Tensor, tmp_path: Path) -> None:
        crp, layer = CRP(vit), "blocks.0.mlp.fc2"
        assert layer in vit.layers
        assert layer not in crp.layers
        w = browse(crp=crp, x=x[:1], layer=layer)
        names = [entry["name"] for entry in w.layers]
        assert set(names) == {*crp.layers, layer}
        assert names.index("blocks.0.mlp.fc1") < names.index(layer) < names.index("blocks.1.mlp.fc1")
        expected = crp.rank(x[:1], layer=layer)
        assert w.selection["concept"] == int(expected.concepts[0, 0])
        torch.testing.assert_close(w.result.ranking.relevance, expected.relevance)
        _, (relevance, activation) = w.packets("ranking")[0]
        torch.testing.assert_close(floats(relevance)[expected.concepts[0]], expected.relevance[0])
        by_activation = crp.rank(x[:1], layer=layer, by="activation")
        torch.testing.assert_close(floats(activation)[by_activation.concepts[0]], by_activation.relevance[0])
        assert w.status["state"] == "done"
        w.layer = "blocks.1.mlp.fc2"
        assert w.save(tmp_path / "a.html").exists()
        assert "blocks.1.mlp.fc2" in [entry["name"] for entry in w.layers]


class TestKeeping:
    def test_a_new_view_gets_what_is_on_screen(self, browse: Browse) -> None:
        w = browse()
        w.sent.clear()
        w._receive(w, {"type": "ready"}, [])
        kinds = [content["type"] for content, _ in w.sent]
        assert kinds == ["focus", "ranking", "heatmap", "graph", "tiles", "prediction", "album", "welcome"]

    def test_saved_state_is_small_and_whole(self, browse: Browse, index: ReferenceIndex, data: Shapes) -> None:
        w = browse(index=index, dataset=data)
        until(lambda: len(w.snapshot) > 0)
        assert len(w.snapshot) <= SNAPSHOT_LIMIT
        length = int.from_bytes(w.snapshot[:4], "little")
        entries = json.loads(w.snapshot[4 : 4 + length])
        kinds = {entry["content"]["type"] for entry in entries}
        assert kinds == {"prediction", "focus", "ranking", "heatmap", "graph", "references", "tiles"}
        items = [item for e in entries if e["content"]["type"] == "references" for item in e["content"]["items"]]
        assert len(items) == 8
        for item in items:
            assert max(item["shape"][:2]) <= 80
            assert item["box"][2] <= item["shape"][1]

    def test_files(self, browse: Browse, index: ReferenceIndex, data: Shapes, tmp_path: Path) -> None:
        w = browse(index=index, dataset=data, title="</script>", wait=False)
        for name, begins in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.html", b"<!doctype")):
            assert w.save(tmp_path / name).read_bytes().startswith(begins)
        found = re.search(r'id="content">(.*?)</script>', (tmp_path / "a.html").read_text(encoding="utf-8"))
        assert found
        kinds = {message["content"]["type"] for message in json.loads(found[1])["messages"]}
        assert kinds == {"prediction", "focus", "ranking", "heatmap", "references", "graph", "tiles"}

    def test_places_without_widgets_get_a_picture(self, browse: Browse) -> None:
        data, _ = browse()._repr_mimebundle_()
        assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")

    def test_close_frees_everything(self, crp: CRP, x: Tensor) -> None:
        w = Recorded(crp, x.clone())
        assert w.wait(30)
        dead: list[weakref.ref[Any]] = [weakref.ref(w._answers.x)]
        dead.append(weakref.ref(next(iter(w._answers._focuses.values()))))
        w.close()
        until(lambda: not any("Recorded worker" in thread.name for thread in threading.enumerate()))
        gc.collect()
        assert [reference() is None for reference in dead] == [True] * 2
        w.close()
        for wrong in (lambda: w.save("a.png"), lambda: w.save("a.html"), lambda: w.result, lambda: w.selection):
            with pytest.raises(ValueError, match="the widget was closed, and its images and explanations are gone"):
                wrong()
