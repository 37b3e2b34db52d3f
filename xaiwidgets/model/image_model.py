"""An image model as the rest of the toolkit sees it: a module with its preprocessing, class names and device."""

from __future__ import annotations

import copy
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, Self

import torch
from PIL import Image
from torch import Tensor, nn

from xaiwidgets.errors import unknown, whole
from xaiwidgets.graph import Graph, GraphError
from xaiwidgets.model.answers import Answers, Precision
from xaiwidgets.model.arguments import assumed, class_names_of, first_channels, length, pair, per_channel
from xaiwidgets.model.graphs import Graphs
from xaiwidgets.model.hugging_face import own_parts
from xaiwidgets.model.meaning import MEANINGS, Meaning, guessed_from_graph, guessed_from_parts
from xaiwidgets.model.outputs import OutputError, Selection
from xaiwidgets.model.preprocessing import Preprocessing
from xaiwidgets.model.state import evaluating
from xaiwidgets.model.towers import phrases_of

__all__ = ["ImageModel", "Precision"]

if TYPE_CHECKING:
    from xaiwidgets.lrp import Report

_DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


class ImageModel(Answers):
    """A vision model with all that is needed to explain it. The module is read, never changed.

    Args:
        module: any module that takes images (N, C, H, W). What it returns may be scores (N, classes), representations (N, D), maps
            (N, classes, H, W), scores of queries or anchors (N, queries, classes), or a container of several tensors.
        class_names: one name a class, in the classes' order. Two names for one score (N, 1): it tells the second from the first.
        mean, std: of each channel, or one number for all, for pixel values in [0, 1]; of other than 1 or 3 channels also in the units of
            the images themselves, where one is above 1. Default: the module's own (timm), those of models of its kind (transformers
            without a processor), else 0 and 1, which is said when a picture is prepared.
        input_size: (H, W), or one number for a square, that :meth:`prepare` resizes to. Default: the module's own, else (224, 224).
        channels: number of input channels; default: as many as ``mean`` has, else as the first convolution takes.
        transform: maps a PIL image to a tensor (C, H, W); default: resize, centre crop, normalise.
        name: used in results and titles.
        output: which tensor of what the module returns is explained: a name, an index, a path of these such as ``("decoder", 0)``, or
            a function of what it returns. Default: the tensor itself, the only one, ``logits`` and the like, or the detections
            that torchvision's detectors give.
        scores: what the scores mean: ``"softmax"`` (one of several classes), ``"sigmoid"`` (several labels, or one logit),
            ``"probabilities"`` (already), ``"values"`` (plain numbers, as of regression). Default: guessed from the last step
            and the number of outputs; see :attr:`meaning`.
        boxes: where the module returns the boxes of its queries, as ``output`` says where the scores are; default: ``pred_boxes``.
        processor: of a transformers model, as its ``AutoProcessor`` or ``AutoImageProcessor`` gives: makes images of pictures, and
            tokens of words. What the model's configuration says (class names, size, what scores mean) is taken from there.
        text: phrases to representations (n, D) in the space of the images, for :meth:`text`; default: the text tower, where the
            module has one beside that for images (CLIP and its kin). The image tower alone is then the ``module``.

    Raises:
        TypeError, ValueError: an argument that does not fit, naming it and what to give.

    Example:
        >>> module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 2)).eval()
        >>> mine = xw.ImageModel(module, class_names=["cat", "dog"], mean=0.5, std=0.25, input_size=8)
        >>> mine.scores(mine.prepare(torch.rand(3, 20, 20))).shape
        torch.Size([1, 2])
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        class_names: Sequence[str] | None = None,
        mean: Sequence[float] | float | None = None,
        std: Sequence[float] | float | None = None,
        input_size: tuple[int, int] | int | None = None,
        channels: int | None = None,
        transform: Callable[[Image.Image], Tensor] | None = None,
        name: str | None = None,
        output: Any = None,
        scores: Meaning | None = None,
        boxes: Any = None,
        processor: Any = None,
        text: Callable[[Sequence[str]], Tensor] | None = None,
    ) -> None:
        if not isinstance(module, nn.Module):
            raise TypeError(
                f"module is {type(module).__name__}; give a torch.nn.Module, or load one with xaiwidgets.load(name)"
            )
        if transform is not None and not callable(transform):
            raise TypeError(f"transform is {type(transform).__name__}; give a function from a PIL image to (C, H, W)")
        if scores is not None and scores not in MEANINGS:
            raise unknown("scores", scores, MEANINGS)
        own = own_parts(module, processor)
        given: dict[str, Any] = {
            "class_names": class_names,
            "mean": mean,
            "std": std,
            "input_size": input_size,
            "channels": channels,
        }
        given |= {"transform": transform, "output": output, "scores": scores, "text": text}
        known: dict[str, Any] = {name: own[name] for name in ("mean", "std", "input_size", "transform") if name in own}
        self._assumed, self._said = assumed(known, mean, std, input_size, transform), False
        own |= {argument: value for argument, value in given.items() if value is not None}
        mean, std = own.get("mean"), own.get("std")
        self.module: nn.Module = own["module"]
        self.name = name or type(module).__name__
        self.class_names = class_names_of(own.get("class_names"))
        self.input_size: tuple[int, int] = pair("input_size", own.get("input_size", 224))
        if channels is None:
            usual = own.get("channels") or first_channels(module)
            channels = usual if mean is None or length(mean) is None else length(mean) or 1
        self.channels = whole("channels", channels, 1)
        self.mean = per_channel("mean", mean, 0.0, self.channels)
        self.std = per_channel("std", std, 1.0, self.channels)
        if min(self.std) <= 0:
            raise ValueError(f"std={self.std} must be positive; give the standard deviation of each channel")
        self.order: tuple[int, ...] = tuple(own.get("order", range(self.channels)))
        self.selection = Selection(own.get("output"), self.name)
        self._meaning, self._boxes, self._text = own.get("scores"), boxes, own.get("text")
        self._usual = "assumed" in own and None in (given["mean"], given["std"])
        self.lock = threading.RLock()
        self._transform = own.get("transform")
        self._graphs = self._new_graphs()
        self._warned = self._told_of_one = self._told_of_range = False

    def __repr__(self) -> str:
        classes = "" if self.class_names is None else f", {len(self.class_names)} classes"
        size = f"{self.channels}×{self.input_size[0]}×{self.input_size[1]}"
        output = "" if self.selection.given is None else f", output={self.selection}"
        scores = repr(self._meaning) if self._meaning is not None else f"{self._guess()!r} (guessed)"
        assumed = ", mean 0 and std 1 assumed" if "mean" in self._assumed else ""
        assumed = ", mean and std assumed, those of its kind" if self._usual else assumed
        return f"ImageModel({self.name}, {size}{classes}, {self.device}{output}, scores={scores}{assumed})"

    def with_module(self, module: nn.Module, name: str | None = None) -> Self:
        """Another module with all that is known of this one: names, images, output, and what its scores mean."""
        new = copy.copy(self)
        new.module, new.name, new._meaning = module, name or self.name, self.meaning
        new.selection = Selection(self.selection.given, new.name)
        new._graphs = new._new_graphs()
        return new

    def __getstate__(self) -> dict[str, Any]:
        """Without lock and graphs, so that a model may travel to the workers of an executor, which export for themselves."""
        return {name: value for name, value in vars(self).items() if name not in ("lock", "_graphs")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, lock=threading.RLock())
        self._graphs = self._new_graphs()

    def _new_graphs(self) -> Graphs:
        return Graphs(self.module, self.name, self.channels, self.lock, self.selection)

    @property
    def _preprocessing(self) -> Preprocessing:
        return Preprocessing(
            self.name, self.channels, self.input_size, self.mean, self.std, self.order, self._transform
        )

    # -- images in and out -------------------------------------------------------------------------------------------

    def prepare(self, images: Any, *, size: tuple[int, int] | int | None = None) -> Tensor:
        """Images as the model takes them, shape (N, C, H, W), on the model's device.

        Args:
            images: a path, a PIL image, an (H, W, C) uint8 array, a (C, H, W) tensor of pixel values in [0, 1] or
                uint8, or a list of these. For other than 1 or 3 channels arrays (H, W, C) or tensors (C, H, W) of any numbers.
            size: (H, W), or one number for a square, to resize to, whatever the aspect ratio; default: the model's own
                transform.

        Raises:
            FileNotFoundError, TypeError, ValueError: what came is not an image; says what to give.
        """
        found = self._preprocessing.prepare(images, self.device, size=size)
        if self._assumed and not self._said:
            warnings.warn(
                f"{self.name}: nobody said how it takes its images; {self._assumed}", UserWarning, stacklevel=2
            )
            self._said = True
        return found

    def pixels(self, x: Tensor) -> Tensor:
        """Normalised images (N, C, H, W) as pixel values in [0, 1], clamped."""
        return self._preprocessing.pixels(x)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Pixel values in [0, 1], shape (N, C, H, W), as the model takes them."""
        return self._preprocessing.normalise(pixels)

    def adopt(self, x: Tensor, other: ImageModel) -> Tensor:
        """Images (N, C, H, W) that were prepared for another model, as this one takes them: over their pixels where statistics differ.

        Raises:
            ValueError: they differ, and nobody said how one of the two takes its images; or another number of channels.
        """
        own, theirs = self._preprocessing, other._preprocessing
        if own.takes_as(theirs):
            return self.validate(x)
        if "mean" in self._assumed or "mean" in other._assumed:
            unsaid = self.name if "mean" in self._assumed else other.name
            raise ValueError(
                f"{self.name} and {other.name} take their images in other ways, and nobody said how {unsaid} does; "
                "give its ImageModel mean= and std=, or images for each"
            )
        if self.channels != other.channels:
            raise ValueError(
                f"{self.name} takes {self.channels} channels, {other.name} {other.channels}; give images for each"
            )
        return self.validate(self.normalise(theirs.plain(other.validate(x)).to(self.device)))

    def validate(self, x: Any, argument: str = "x") -> Tensor:
        """``x`` as a float32 batch (N, C, H, W) on the model's device, detached, and no inference tensor outside that mode.

        Raises:
            TypeError: not a tensor.
            ValueError: another number of dimensions or channels, no image, or values that are not finite floats.
        """
        return self._preprocessing.validate(x, self.device, argument)

    def text(self, phrase: str | Sequence[str]) -> Tensor:
        """The representation of a phrase, (D,), or of several, (n, D), in the space of the images' representations.

        Raises:
            TypeError: no phrase. ValueError: the model knows no text.
        """
        with self.lock:
            return phrases_of(self._text, self.name, phrase)

    # -- answers -----------------------------------------------------------------------------------------------------

    def encoder(
        self,
        layer: str | None = None,
        *,
        pool: Literal["mean", "flatten"] | None = None,
        precision: Precision = "float32",
        size: tuple[int, int] | None = None,
    ) -> Callable[[Tensor], Tensor]:
        """The function from images (n, C, H, W) to representations (n, D) that representation methods explain.

        Args:
            layer: None for what the classifier reads (the output itself where there is no classifier), ``"output"`` for
                the model's output, or the name of any layer.
            pool: how a layer's map becomes a vector: ``"mean"`` over space, or ``"flatten"``.
            precision: what the forward passes compute in; the result is float32.
            size: (H, W) of the images; default: ``input_size``.

        Raises:
            ValueError: unknown layer, or an output that is not one vector an image.
        """
        example = torch.zeros(2, self.channels, *(size or self.input_size), device=self.device)
        if layer is None and not self._has_classifier(example):
            layer = "output"
        forward = self.forward_function(example, layer=layer or "pre_logits", precision=precision)

        def encode(x: Tensor) -> Tensor:
            out = forward(x)
            if pool is not None and out.ndim > 2:
                return _pooled(out, pool)
            return out

        with self.lock:
            out = encode(example)
        if out.ndim != 2 or out.shape[0] != 2:
            raise ValueError(
                f"layer={layer!r} of {self.name} gives shape {tuple(out.shape)} for 2 images, not one vector (2, D) "
                "each; choose pool='mean' or pool='flatten', or a later layer"
            )
        return encode

    def forward_function(
        self, x: Tensor, *, layer: str = "output", precision: Precision = "float32"
    ) -> Callable[[Tensor], Any]:
        """A fast forward pass for images of x's size up to ``layer``: no autograd, batch norm folded, channels last."""
        if precision not in _DTYPES:
            raise unknown("precision", precision, _DTYPES)
        stop, dtype = None if layer == "output" else layer, _DTYPES[precision]
        try:
            graph = self.graph_for(x, dtype=dtype)
        except GraphError:
            if stop is not None:
                raise
            return self._plain_forward(dtype)  # the output can be had by calling the module
        graph.check_stop(stop)

        def forward(batch: Tensor) -> Any:
            batch = batch.to(dtype=dtype, memory_format=torch.channels_last)
            return _floats(graph.run(batch, stop=stop))

        return forward

    # -- the graph ---------------------------------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        """Where the module's parameters lie."""
        first = next(self.module.parameters(), None)
        return torch.device("cpu") if first is None else first.device

    @property
    def graph(self) -> Graph:
        """The model as a graph of operations, for images of ``input_size``; exported once."""
        return self.graph_for(torch.zeros(1, self.channels, *self.input_size))

    def graph_for(self, x: Tensor, *, dtype: torch.dtype = torch.float32) -> Graph:
        """The graph for images of x's height and width; exported anew when the weights have changed since."""
        return self._graphs.find(x, self.device, dtype)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers whose channels or features can be concepts, from input to output."""
        return self.graph.concept_layers

    def check(self, composite: Any = "epsilon_plus_flat") -> Report:
        """What the engine makes of this model: operations, the rule each layer gets, what is unsupported, and why."""
        # The report speaks of rules, which know the model: imported here so that imports otherwise run one way.
        from xaiwidgets.lrp import check

        return check(self, composite)

    # -- inner works -------------------------------------------------------------------------------------------------

    def _guess(self, *, export: bool = False) -> Meaning:
        if export and self._graphs.first is None:
            with suppress(GraphError):  # where the module has no graph, its output can still be had by calling it
                self.graph_for(torch.zeros(1, self.channels, *self.input_size))
        graph = self._graphs.first
        return guessed_from_parts(self.module) if graph is None else guessed_from_graph(graph)

    def _has_classifier(self, x: Tensor) -> bool:
        """Whether there is a classifier whose input is the representation; an encoder's output is one already."""
        try:
            self.graph_for(x).check_stop("pre_logits")
        except GraphError:
            return False
        return True

    def _plain_forward(self, dtype: torch.dtype) -> Callable[[Tensor], Any]:
        def forward(batch: Tensor) -> Any:
            # A module may keep what it computes, and inference tensors could be used in no training afterwards.
            with self._graphs.running(), evaluating(self.module), torch.inference_mode(False), torch.no_grad():
                batch = batch.clone() if batch.is_inference() else batch
                try:
                    if dtype == torch.float32:
                        return self.selection(self.module(batch))
                    with torch.autocast(self.device.type, dtype=dtype):
                        return self.selection(self.module(batch)).float()
                except OutputError:
                    raise
                except Exception as error:
                    said = self._graphs.failure(batch.shape[-2], batch.shape[-1])
                    reason = str(error).strip().rstrip(".!")
                    # What stopped the export stops the module too: that message says what to do.
                    if reason and reason in said:
                        raise GraphError(said) from error
                    raise

        return forward


def _pooled(out: Tensor, pool: str) -> Tensor:
    if pool == "flatten":
        return out.flatten(1)
    if pool == "mean":
        # Maps are (n, D, H, W), tokens (n, T, D).
        return out.mean((2, 3)) if out.ndim == 4 else out.mean(1)
    raise unknown("pool", pool, ("mean", "flatten"))


def _floats(out: Any) -> Any:
    return out.float() if isinstance(out, Tensor) else out
