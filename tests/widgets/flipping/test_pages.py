"""The flipping viewer as a figure: what is saved is what is on screen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from torch import Tensor

from ..conftest import RecordedViewer
from ..test_refused import model


def panels(widget: RecordedViewer) -> tuple[list[Axes], list[Axes], str]:
    """Axes of curves, axes of pictures, and the line at the foot."""
    figure = widget._figure()
    curves = [axis for axis in figure.axes if axis.get_xlabel() == "Share of patches flipped"]
    pictures = [axis for axis in figure.axes if axis.get_images()]
    return curves, pictures, figure.get_supxlabel()


def lines(axis: Axes) -> dict[str, Line2D]:
    """The curves of a panel by their methods."""
    named = {str(line.get_label()): line for line in axis.lines}
    return {label.split(":")[0]: line for label, line in named.items() if not label.startswith("_")}


def test_the_figure_is_of_the_view(viewer: Callable[..., RecordedViewer], images: Tensor, heat: Tensor) -> None:
    widget = viewer(model(), images, {"a": heat, "b": -heat}, target="star", image=1, step=1, patch=4)
    assert widget.wait(30)
    result = widget.result
    assert result is not None
    curves, pictures, caption = panels(widget)
    own = result.curves["morf"]["a"][1]
    drawn = lines(curves[0])
    assert np.allclose(drawn["a"].get_ydata(), own), "the curve of the image on screen, not the mean"
    assert set(drawn) == {"a", "b", "random"}
    marker = [line for line in curves[0].lines if str(line.get_label()).startswith("_")]
    assert np.allclose(marker[0].get_xdata(), float(result.fractions[1])), "the step is marked"
    assert [axis.get_title(loc="left") for axis in pictures] == [
        "Image", "Heatmap of a", "Most relevant first", "Least relevant first",
    ]  # fmt: skip
    for said in ("logit of star", "image 2 of 3", "step 1 of", "patch 4 px", date.today().isoformat()):
        assert said in caption
    widget.scope, widget.hidden = "mean", ["a"]
    assert widget.wait(30)
    curves, pictures, caption = panels(widget)
    drawn = lines(curves[0])
    assert set(drawn) == {"b", "random"}, "hidden methods are not drawn"
    assert np.allclose(drawn["b"].get_ydata(), result.curves["morf"]["b"].mean(0), atol=1e-5)
    assert pictures[1].get_title(loc="left") == "Heatmap of b"
    assert "mean of 3 images" in caption


def test_the_grey_end_is_named(viewer: Callable[..., RecordedViewer], images: Tensor, heat: Tensor) -> None:
    widget = viewer(model(), images, {"a": heat}, patch=4)
    assert widget.wait(30)
    result = widget.result
    assert result is not None
    curves, _, _ = panels(widget)
    named = [text.get_text() for text in curves[0].texts]
    assert named == (["all grey"] if result.setup.schedule.gray_last else [])
