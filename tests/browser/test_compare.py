"""One Compare in the overlay: models, images, classes and methods beside each other, the difference of two, the gallery of all; by clicks,
the screen against the arrays in Python."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, expect
from torch import nn

from tests.guards import JS
from xaiwidgets import LRP, GradientXInput, ImageModel
from xaiwidgets.plots.overlays import composed

from .comparing import IMAGES, Open, compare, labels_of
from .test_every_widget import AXE
from .test_heatmap_layout import CONTRAST
from .test_overlay_signs import at_pixels, on_screen

pytestmark = pytest.mark.browser


def signs_agree(screen: np.ndarray, values: np.ndarray, bound: float) -> float:
    """The share of the pixels over 10 % of the scale whose hue is that of the sign: red above zero, blue below."""
    large = np.abs(values) > 0.1 * bound
    assert large.sum() > 50
    redness = screen[..., 0] - screen[..., 2]
    return float((np.sign(redness[large]) == np.sign(values[large])).mean())


@pytest.mark.parametrize("mode", ["grey", "colour", "none"])
def test_models_and_their_difference_on_screen_are_those_in_python(opened: Open, mode: str) -> None:
    live = opened(picture=mode)
    box = compare(live, "Model")
    assert live.widget.show == "models"
    assert labels_of(live) == ["Picture", "CNN: Relevance demo:shapes-cnn", "ViT: Relevance demo:shapes-vit"]
    box.get_by_role("checkbox", name="Difference").check()
    live.turn()
    assert live.widget.difference == [0, 1]
    assert labels_of(live)[-1] == "CNN − ViT"
    live.page.keyboard.press("Escape")
    live.page.mouse.move(2, 2)
    maps = {name: result.heatmap[0].numpy() for name, result in live.widget.results.items()}
    together = max(np.abs(values).max() for values in maps.values())
    wanted = {
        "CNN": (maps["CNN"], together),
        "ViT": (maps["ViT"], together),
        "CNN − ViT": (maps["CNN"] - maps["ViT"], np.abs(maps["CNN"] - maps["ViT"]).max()),
    }
    sent = len(live.sent)
    bars = live.root.locator(".xw-colorbar[role=img]")
    for place, (name, (values, bound)) in enumerate(wanted.items()):
        frame = live.root.locator(".xw-pane").nth(place + 1).locator(".xw-frame")
        frame.scroll_into_view_if_needed()
        screen = at_pixels(on_screen(frame))
        assert signs_agree(screen, values, bound) >= 0.99, name
        # What Python draws for a file is what stands on screen.
        drawn = 255 * composed(live.widget._panes()[place + 1], live.widget._look())
        assert np.corrcoef(drawn.ravel(), screen.ravel())[0, 1] >= 0.98, name
        said = bars.nth(place).get_attribute("aria-label") or ""
        ends = [float(end.replace("−", "-")) for end in re.findall(r"[−-]?[\d.]+(?:e[−-]\d+)?", said.split("from")[1])]
        assert ends == pytest.approx([-bound, bound], rel=0.02), name
    # The difference is of the two maps that are here: no message for it, for its ends the other way round neither.
    live.root.get_by_role("button", name="Compare").click()
    box.get_by_role("combobox", name="Difference of").select_option(label="ViT")
    live.page.keyboard.press("Escape")
    live.settle()
    assert labels_of(live)[-1] == "ViT − CNN"
    frame = live.root.locator(".xw-pane").last.locator(".xw-frame")
    values, bound = wanted["CNN − ViT"]
    assert signs_agree(at_pixels(on_screen(frame)), -values, bound) >= 0.99
    assert len(live.sent) == sent
    live.turn()
    assert live.widget.difference == [1, 0]
    assert live.errors == []


def test_each_says_what_its_own_model_says(opened: Open, cnn: ImageModel, vit: ImageModel) -> None:
    live = opened()
    compare(live, "Model")
    live.page.keyboard.press("Escape")
    notes = live.root.locator(".xw-pane .xw-pane-notes")
    x = live.widget._x[:1]
    for place, model in ((1, cnn), (2, vit)):
        share, index = model.predict(x, top=1).probabilities[0].max(0)
        name = (model.class_names or ())[int(index)]
        percent = f"{float(share) * 100:.1f}".removesuffix(".0")
        expect(notes.nth(place)).to_contain_text(f"predicts {name} {percent} %")
        expect(notes.nth(place)).to_contain_text(f"class explained {name}, probability {float(share):.1%}")
    expect(live.root.locator(".xw-scales")).to_contain_text("One scale for all (of the logit)")
    # The header and the row of images are the present model's.
    live.root.get_by_role("radio", name="ViT", exact=True).click()
    live.turn()
    share, index = vit.predict(x, top=1).probabilities[0].max(0)
    expect(live.root.locator(".xw-method")).to_contain_text("demo:shapes-vit")
    expect(live.root.locator(".xw-predicted")).to_contain_text(f"{float(share) * 100:.1f}".removesuffix(".0") + " %")
    assert live.widget.method == "ViT"


def test_images_by_shift_and_click(opened: Open) -> None:
    live = opened()
    strip = live.root.get_by_role("listbox", name="Images")
    strip.get_by_role("option").nth(4).click(modifiers=["Shift"])
    live.turn()
    assert (live.widget.show, live.widget.beside_images, live.widget.image) == ("images", [0, 4], 0)
    strip.get_by_role("option").nth(6).click(modifiers=["Shift"])
    live.turn()
    assert labels_of(live) == ["Image 1", "Image 5", "Image 7"]
    answers = {question.image: answer for question, answer in live.widget._answers.items()}
    bound = max(float(answers[image].maps["relevance"].abs().max()) for image in (0, 4, 6))
    for place, image in enumerate((0, 4, 6)):
        screen = at_pixels(on_screen(live.root.locator(".xw-frame").nth(place)))
        assert signs_agree(screen, answers[image].maps["relevance"].numpy(), bound) >= 0.99
    strip.get_by_role("option").nth(4).click(modifiers=["Shift"])
    live.turn()
    assert live.widget.beside_images == [0, 6]
    assert live.errors == []


def test_classes_are_ticked(opened: Open) -> None:
    live = opened()
    box = compare(live, "Class")
    assert len(live.widget.beside) == 2, "what the model says first, and second"
    box.get_by_role("checkbox", name="heart").check()
    live.turn()
    heart = live.widget.class_names.index("heart")
    assert live.widget.beside[-1] == heart
    assert labels_of(live)[-1] == "heart"
    box.get_by_role("combobox", name="Add").click()
    box.get_by_role("option", name=re.compile("^ring")).click()
    live.turn()
    assert labels_of(live)[-1] == "ring"
    box.get_by_role("radio", name="Nothing").click()
    live.turn()
    assert (live.widget.show, len(labels_of(live))) == ("relevance", 1)


def test_a_target_is_taken_off_the_list(opened: Open) -> None:
    live = opened(targets={"mine": lambda out: out[:, 0], "other": lambda out: out[:, 1]}, beside=["mine", "other", 2])
    box = compare(live, "Class")
    assert labels_of(live)[:3] == ["Picture", "mine", "other"]
    assert box.get_by_role("button", name=re.compile("off the list")).count() == 2, "a class stays"
    box.get_by_role("button", name="Take mine off the list").click()
    live.turn()
    assert [label for label in labels_of(live) if label in ("mine", "other")] == ["other"]
    assert [entry["name"] for entry in live.widget.targets] == ["other"]
    assert box.get_by_role("button", name=re.compile("off the list")).count() == 1

    def offered(label: str) -> list[str]:
        """What a list of classes has."""
        combobox = live.root.get_by_role("combobox", name=label, exact=True)
        combobox.click()
        options = live.root.get_by_role("listbox", name=label).get_by_role("option").all_inner_texts()
        combobox.press("Escape")
        return [option.split("\n")[0] for option in options]

    assert len(offered("Add")) == 1 + 8 + 1
    live.page.keyboard.press("Escape")
    for label in ("Class", "Against"):
        assert "mine" not in offered(label), "off the list is off every list"
        assert {"star", "other"} <= set(offered(label)), label
    # Whoever asks about it again has it back.
    live.widget.target = "mine"
    live.turn()
    assert {"mine", "other"} <= set(offered("Class"))
    assert [entry["name"] for entry in live.widget.targets] == ["mine", "other"]
    assert live.errors == []


class TestGallery:
    def test_fills_stops_and_goes_on(self, opened: Open) -> None:
        live = opened(images=IMAGES)
        live.root.get_by_role("button", name="Gallery").click()
        for _ in range(12):
            live.page.wait_for_timeout(30)
            live.exchange()
        text = live.root.locator(".xw-progress-text")
        expect(text).to_contain_text(re.compile(r"^\d+ of 64 images"))
        live.root.get_by_role("button", name="Stop").click()
        live.turn()
        expect(text).to_contain_text("stopped")
        there = len(live.widget._answers)
        assert 2 <= there < IMAGES
        live.root.get_by_role("button", name="Go on").click()
        live.turn(400)
        assert len(live.widget._answers) == IMAGES
        assert live.widget.image == 0
        # What a person sees comes before the rest.
        order = [message["image"] for message in live.computes]
        assert order.index(IMAGES - 1) > 8

    def test_one_scale_and_a_click_opens(self, opened: Open) -> None:
        live = opened(images=16)
        live.root.get_by_role("button", name="Gallery").click()
        live.turn(100)
        tiles = live.root.get_by_role("list", name="All images").get_by_role("listitem")
        expect(tiles).to_have_count(16)
        tops = {round(tile.bounding_box()["y"]) for tile in tiles.all()}  # type: ignore[index]
        assert 16 / len(tops) == 8, "eight in a row"
        maps = {question.image: answer.maps["relevance"].numpy() for question, answer in live.widget._answers.items()}
        bound = max(np.abs(values).max() for values in maps.values())
        said = live.root.locator(".xw-gallery .xw-colorbar").get_attribute("aria-label") or ""
        assert float(said.rsplit("to ", 1)[1]) == pytest.approx(bound, rel=0.02)
        for image in (0, 3, 11):
            button = tiles.nth(image).get_by_role("button")
            wrong = image == 3
            expect(button).to_have_attribute("aria-label", re.compile(rf"^Open image {image + 1}: \w+ [\d.]+ %"))
            expect(button).to_have_attribute("aria-label", re.compile(", wrong: " if wrong else ", right$"))
            expect(button.locator(".xw-verdict")).to_have_text("✗" if wrong else "✓")
            # Smaller than the map: the strongest pixels have their colour, also where several share one.
            inked = tiles.nth(image).evaluate(
                """(tile) => { const c = tile.querySelector("canvas");
                    const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
                    let most = 0;
                    for (let i = 0; i < d.length; i += 4) most = Math.max(most, Math.abs(d[i] - d[i + 2]));
                    return most; }"""
            )
            assert inked > 25
        tiles.nth(11).get_by_role("button").click()
        live.turn()
        assert (live.widget.image, live.widget.show) == (11, "relevance")
        expect(live.root.locator(".xw-frame canvas")).to_have_count(1)
        assert live.errors == []


@pytest.mark.parametrize("dark", [False, True])
def test_all_text_can_be_read(opened: Open, dark: bool) -> None:
    live = opened(dark=dark)
    live.page.add_script_tag(path=JS / "node_modules" / "axe-core" / "axe.min.js")
    for by in ("Model", "Image", "Class"):
        compare(live, by).get_by_role("checkbox", name="Difference").check()
        live.turn()
        assert live.page.evaluate(CONTRAST) == [], by
        assert live.page.evaluate(AXE) == [], by
    live.page.keyboard.press("Escape")
    expect(live.root.get_by_role("button", name="Compare")).to_be_focused()
    live.root.get_by_role("button", name="Gallery").click()
    live.turn(60)
    assert live.page.evaluate(CONTRAST) == []
    assert live.page.evaluate(AXE) == []


def test_a_model_without_the_class_says_so_in_its_place(opened: Open, cnn: ImageModel) -> None:
    names = [f"kind {index}" if index == 3 else name for index, name in enumerate(cnn.class_names or ())]
    other = ImageModel(
        nn.Sequential(*cnn.module.children()).eval(),
        class_names=names,
        mean=cnn.mean,
        std=cnn.std,
        input_size=64,
        name="other",
    )
    live = opened(explainers={"one": LRP(cnn), "two": LRP(other)}, target="star")
    compare(live, "Model")
    refusal = live.root.locator(".xw-pane").nth(2).locator(".xw-refusal")
    expect(refusal).to_have_text("other has no class “star”; choose a class that it knows, or its predicted one")
    expect(live.root.locator(".xw-pane").nth(1).locator(".xw-refusal")).to_have_count(0)
    assert live.root.locator(".xw-frame").nth(1).get_attribute("data-stale") == "false"
    for dark in ("light", "dark"):
        live.page.emulate_media(color_scheme=dark)
        assert live.page.evaluate(CONTRAST) == []


def test_a_saved_page_compares_without_a_kernel(opened: Open, tmp_path: Path) -> None:
    live = opened(show="images", beside_images=[1, 5], difference=[0, 1])
    path = live.widget.save(tmp_path / "a.html")
    page = live.page.context.new_page()
    page.goto(path.as_uri())
    captions = page.locator(".xw-caption-label")
    expect(captions).to_have_count(3)
    expect(captions.last).to_contain_text("Image 2 − Image 6")
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("checkbox", name="Difference").uncheck()
    expect(captions).to_have_count(2)
    expect(page.locator(".xw-frame[data-stale=true]")).to_have_count(0)


def test_layers_are_of_one_picture_at_a_time(opened: Open) -> None:
    live = opened()
    slider, away = live.root.get_by_role("slider", name="Depth"), live.root.locator(".xw-depth-away")
    for key in ("ArrowLeft", "Home", "ArrowRight"):  # the first one asks for the layers
        slider.press(key)
        live.turn()
    chosen = live.widget.depth
    assert chosen is not None
    bar = live.root.locator(".xw-colorbar[role=img]")
    expect(bar).to_have_attribute("aria-label", re.compile(f"Relevance at {re.escape(chosen)} from"))
    expect(away).to_have_count(0)
    compare(live, "Model")
    live.page.keyboard.press("Escape")
    live.page.mouse.move(2, 2)
    expect(slider).to_have_count(0)
    expect(away).to_contain_text("one picture at a time")
    expect(live.root.locator(".xw-layer-chip")).to_have_count(0)
    maps = {name: result.heatmap[0].numpy() for name, result in live.widget.results.items()}
    together = max(np.abs(values).max() for values in maps.values())
    frames = live.root.locator(".xw-frame")
    for place, name in enumerate(("CNN", "ViT"), 1):
        assert signs_agree(at_pixels(on_screen(frames.nth(place))), maps[name], together) >= 0.99, name
        expect(bar.nth(place - 1)).to_have_attribute("aria-label", re.compile("Relevance .*from"))
        expect(bar.nth(place - 1)).not_to_have_attribute("aria-label", re.compile(" at "))
    tops = frames.evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().top)")
    assert max(tops) - min(tops) < 0.01, "pictures begin at one height"
    compare(live, "Nothing")
    live.page.keyboard.press("Escape")
    expect(live.root.locator(".xw-layer-chip")).to_contain_text(chosen)
    # The other model has no such layer: its pixels are shown, and nothing is wrong.
    live.root.get_by_role("radiogroup", name="Method").get_by_role("radio", name="ViT").click()
    live.turn()
    slider.press("Home")
    live.turn()
    assert live.widget.status["state"] == "done"
    assert live.widget.depth not in (None, chosen)
    assert live.errors == []


def test_two_hundred_random_actions(opened: Open, cnn: ImageModel, vit: ImageModel) -> None:
    explainers = {"CNN": LRP(cnn), "ViT": LRP(vit), "gradient": GradientXInput(cnn)}
    named = {f"mine {k}": lambda out, k=k: out[:, k] for k in range(3)}
    live = opened(explainers=explainers, width=1200, target=named)
    dice = random.Random(5)
    root, page = live.root, live.page
    done: dict[str, int] = {}

    def press(locator: Locator) -> None:
        there = [each for each in locator.all() if each.is_visible() and each.is_enabled()]
        if there:
            dice.choice(there).click()

    def popup(choose: Callable[[Locator], None]) -> None:
        if root.get_by_role("dialog", name="Compare").count() == 0:
            root.get_by_role("button", name="Compare").click()
        choose(root.get_by_role("dialog", name="Compare"))
        page.keyboard.press("Escape")

    def ends(box: Locator) -> None:
        for choice in box.locator(".xw-difference select").all():
            if choice.is_enabled():
                choice.select_option(index=dice.randrange(2))

    def slide(slider: Locator) -> None:
        if slider.count() and slider.is_enabled():
            slider.press(dice.choice(["ArrowLeft", "ArrowRight", "Home", "End"]))

    actions: dict[str, Callable[[], None]] = {
        "way": lambda: popup(lambda box: press(box.get_by_role("radio"))),
        "entry": lambda: popup(lambda box: press(box.get_by_role("checkbox"))),
        "ends": lambda: popup(ends),
        "gallery": lambda: root.get_by_role("button", name="Gallery").click(),
        "tile": lambda: press(root.locator(".xw-gallery-tile > button")),
        "image": lambda: press(root.locator(".xw-film")),
        "beside": lambda: dice.choice(root.locator(".xw-film").all()).click(modifiers=["Shift"]),
        "method": lambda: press(root.get_by_role("radiogroup", name="Method").get_by_role("radio")),
        "scale": lambda: press(root.get_by_role("radiogroup", name="Scale").get_by_role("radio")),
        "picture": lambda: press(root.get_by_role("radiogroup", name="Picture").get_by_role("radio")),
        "stop": lambda: press(root.get_by_role("button", name="Stop")),
        "go on": lambda: press(root.get_by_role("button", name="Go on")),
        "frame": lambda: press(root.locator(".xw-frame")),
        "layer": lambda: slide(root.get_by_role("slider", name="Depth")),
        "play": lambda: press(root.locator(".xw-play")),
        "layers": lambda: press(root.get_by_role("radiogroup", name="Layers").get_by_role("radio")),
        "forget": lambda: popup(lambda box: press(box.locator(".xw-forget"))),
        "python": lambda: setattr(live.widget, "show", dice.choice(["relevance", "models", "images", "gallery"])),
    }
    for _ in range(200):
        name = dice.choice(list(actions))
        actions[name]()
        done[name] = done.get(name, 0) + 1
        live.exchange()
    press(root.get_by_role("button", name="Pause"))
    live.turn(200)
    assert min(done.values()) > 3
    assert live.errors == []
    assert live.widget.status["state"] in ("done", "idle"), live.widget.status
    # Both sides agree in the end on what is asked and shown.
    names = ("show", "image", "method", "beside_images", "difference", "depth", "depth_scale")
    mine = {name: getattr(live.widget, name) for name in names}
    theirs = page.evaluate("(names) => Object.fromEntries(names.map((n) => [n, model.state[n] ?? null]))", list(mine))
    assert json.loads(json.dumps(mine)) == theirs
    root.get_by_role("button", name="Compare").click()
    root.get_by_role("dialog", name="Compare").get_by_role("radio", name="Nothing").click()
    live.turn()
    if live.widget.show == "gallery":
        root.get_by_role("button", name="Gallery").click()
        live.turn()
    expect(root.locator(".xw-frame canvas")).to_have_count(1)
    expect(root.locator(".xw-frame")).to_have_attribute("data-stale", "false")
