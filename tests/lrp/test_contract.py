"""What every explainer promises: rows, batches, types, a module left as it was, and errors that help."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from xaiwidgets.baselines import GradientXInput, IntegratedGradients, Occlusion, SmoothGrad
from xaiwidgets.graph import GraphError, Propagator, conditions
from xaiwidgets.lrp import COMPOSITES, LRP, AbsLRP, Composite, Epsilon, Gamma, check
from xaiwidgets.model import ImageModel


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu_(self.bn(self.conv1(x)))
        x = self.pool(torch.relu(x + self.conv2(x)))
        return self.head(x.mean((2, 3)))


@pytest.fixture
def model() -> ImageModel:
    torch.manual_seed(0)
    return ImageModel(Net().eval(), input_size=(12, 10), mean=(0.5,) * 3, std=(0.5,) * 3)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(5, 3, 12, 10, generator=torch.Generator().manual_seed(1))


def explainers(model: ImageModel) -> dict[str, Callable[..., Any]]:
    lrps: dict[str, Callable[..., Any]] = {name: LRP(model, name, batch=2) for name in COMPOSITES if name != "abs_lrp"}
    others: dict[str, Callable[..., Any]] = {
        "absLRP": AbsLRP(model, batch=2),
        "gradient": GradientXInput(model, batch=2),
        "integrated": IntegratedGradients(model, steps=4, batch=2),
        "smooth": SmoothGrad(model, samples=3, batch=2),
        "occlusion": Occlusion(model, size=4, batch=2),
    }
    return lrps | others


NAMES = [*[name for name in COMPOSITES if name != "abs_lrp"], "absLRP", "gradient", "integrated", "smooth", "occlusion"]


@pytest.mark.parametrize("name", NAMES)
def test_row_i_answers_request_i(name: str, model: ImageModel, x: Tensor) -> None:
    explain = explainers(model)[name]
    targets = [3, 0, 4, 1, 2]
    together = explain(x, targets)
    assert together.heatmap.shape == (5, 12, 10)
    assert together.heatmap.dtype == torch.float32
    assert torch.isfinite(together.heatmap).all()
    assert not together.heatmap.requires_grad
    assert together.target.tolist() == targets
    for i, target in enumerate(targets):
        alone = explain(x[i : i + 1], target).heatmap[0]
        assert torch.allclose(alone, together.heatmap[i], rtol=1e-3, atol=1e-5 * float(alone.abs().max()))
    assert torch.equal(explain(x, targets).heatmap, together.heatmap)
    assert together.provenance.parameters["target"] == targets
    predicted = explain(x)
    assert torch.equal(predicted.target, predicted.output.argmax(1))


@pytest.mark.parametrize("name", NAMES)
def test_the_model_is_left_as_it_was(name: str, x: Tensor) -> None:
    torch.manual_seed(0)
    module = Net()
    module.bn.running_mean = torch.randn(8)
    module.conv2.weight.requires_grad_(False)
    module.conv1.register_forward_hook(lambda *_: None)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    flags = {key: parameter.requires_grad for key, parameter in module.named_parameters()}
    hooks = [len(part._forward_hooks) + len(part._backward_hooks) for part in module.modules()]
    explain = explainers(ImageModel(module, input_size=(12, 10), mean=(0.5,) * 3, std=(0.5,) * 3))[name]
    with pytest.warns(UserWarning, match="training mode"):
        explain(x)
    with pytest.raises(ValueError, match="target=99"):
        explain(x, 99)
    assert module.training
    assert all(part.training for part in module.modules())
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())
    assert flags == {key: parameter.requires_grad for key, parameter in module.named_parameters()}
    assert hooks == [len(part._forward_hooks) + len(part._backward_hooks) for part in module.modules()]


def test_two_threads_at_once_get_what_one_gets(model: ImageModel, x: Tensor) -> None:
    explain = {"a": LRP(model), "b": LRP(model, "epsilon_gamma_box")}
    alone = {name: each(x).relevance for name, each in explain.items()}
    found: dict[str, list[Tensor]] = {"a": [], "b": []}

    def work(name: str) -> None:
        for _ in range(5):
            found[name].append(explain[name](x).relevance)

    threads = [threading.Thread(target=work, args=(name,)) for name in explain]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in explain:
        assert len(found[name]) == 5
        assert all(torch.equal(each, alone[name]) for each in found[name])


def test_layers_activations_and_account(model: ImageModel, x: Tensor) -> None:
    found = LRP(model, zero_bias=True)(x, 2, layers=["conv2", "pool"])
    assert found.layers["conv2"].shape == found.activations["conv2"].shape == (5, 8, 12, 10)
    assert found.layers["pool"].shape == (5, 8, 6, 5)
    assert found.conservation is not None
    assert found.conservation.start == pytest.approx(float(found.output[:, 2].sum()), rel=1e-4)
    assert found.conservation.share == pytest.approx(1, abs=0.01)
    assert "reached the pixels" in str(found.conservation)
    with_bias = LRP(model, "attn_lrp")(x, 2).conservation
    assert with_bias is not None
    lost = sum(leak.amount for leak in with_bias.leaks)
    assert lost == pytest.approx(with_bias.start - with_bias.input, abs=1e-3 * max(1, abs(with_bias.start)))


def test_starts(model: ImageModel, x: Tensor) -> None:
    lrp = LRP(model)
    plain = lrp(x, 2)
    given = torch.zeros(5, 5)
    given[:, 2] = plain.output[:, 2]
    assert torch.allclose(lrp(x, start=given).relevance, plain.relevance)
    assert torch.allclose(lrp(x, 2, against=1).relevance, plain.relevance - lrp(x, 1).relevance, atol=1e-5)
    rest = sum((lrp(x, k).relevance for k in (0, 1, 3, 4)), torch.zeros(()))
    assert torch.allclose(lrp(x, 2, against="rest").relevance, plain.relevance - rest / 4, atol=1e-5)
    one = LRP(model, start="one")(x, 2).relevance * plain.output[:, 2].reshape(-1, 1, 1, 1)
    assert torch.allclose(one, plain.relevance, atol=1e-5)
    for result, k in zip(lrp.classes(x, [0, 3]), [0, 3], strict=True):
        assert torch.allclose(result.relevance, lrp(x, k).relevance, atol=1e-6)


def test_layers_that_share_a_value_or_are_named_twice(model: ImageModel, x: Tensor) -> None:
    lrp = LRP(model, batch=2)
    alone = lrp(x, 1, layers=["conv1"])
    for found in (lrp(x, 1, layers=["conv1", "bn", "bn"]), lrp.classes(x, [1], layers=["bn", "conv1"])[0]):
        assert set(found.layers) == set(found.activations) == {"conv1", "bn"}
        for name in ("conv1", "bn"):
            assert torch.allclose(found.layers[name], alone.layers["conv1"], atol=1e-6)
            assert torch.equal(found.activations[name], alone.activations["conv1"])


def test_user_composites_by_name_glob_kind_and_place(model: ImageModel, x: Tensor) -> None:
    composite = Composite(
        name="mine",
        default=Epsilon(),
        kinds={"conv": Gamma(gamma=0.1)},
        layers={"conv2": Epsilon(epsilon=0.5), "hea*": Gamma()},
    )
    rules = {row.layer: row.rule for row in check(model, composite).rows if row.kind == "linear"}
    assert rules == {"conv1": "γ = 0.1", "conv2": "ε = 0.5", "head": "γ = 0.25"}
    placed = Composite(first=Gamma(gamma=1.0), steps=((0.5, Gamma(gamma=2.0)),), last=Epsilon(epsilon=0.1))
    rules = {row.layer: row.rule for row in check(model, placed).rows if row.kind == "linear"}
    assert rules == {"conv1": "γ = 1", "conv2": "γ = 2", "head": "ε = 0.1"}
    assert torch.isfinite(LRP(model, composite)(x).heatmap).all()


def test_controls_lead_to_new_explainers(model: ImageModel, x: Tensor) -> None:
    lrp = LRP(model, "epsilon_gamma_box")
    names = [control["name"] for control in lrp.controls()]
    assert names == ["composite", "epsilon", "gamma", "zero_bias"]
    other = lrp.with_parameters(gamma=1.0)
    assert not torch.equal(other(x).relevance, lrp(x).relevance)
    assert [c["value"] for c in other.controls() if c["name"] == "gamma"] == [1.0]
    assert lrp.with_parameters(composite="epsilon_plus", gamma=0.3).composite.name == "epsilon_plus"


def test_conditions_split_relevance(model: ImageModel, x: Tensor) -> None:
    """Conditional maps of all channels add up to the map; several rows share one pass; chunks change nothing."""
    propagator = LRP(model).propagator(x)
    record = propagator.record(x, memory=True)
    start = {"output": record.output[None]}
    rows = conditions(propagator.graph, record, [{"conv2": [channel]} for channel in range(8)], exclude_parallel=True)
    split = propagator.down(record, start, ["input"], rows)["input"]
    everything = conditions(propagator.graph, record, [{"conv2": range(8)}], exclude_parallel=True)
    whole = propagator.down(record, start, ["input"], everything)["input"]
    assert torch.allclose(split.sum(0), whole[0], atol=1e-5)
    chunked = propagator.down(record, start, ["input", "conv2", "pool"], rows, chunk=3)
    assert torch.allclose(chunked["input"], split, atol=1e-6)
    assert chunked["conv2"].shape == (8, 5, 8, 12, 10)
    beside = conditions(propagator.graph, record, [{"conv2": [1]}, {"conv2": []}, {}])
    found = propagator.down(record, start, ["input"], beside)["input"]
    plain = propagator.down(record, start, ["input"])["input"][0]
    assert torch.allclose(found[2], plain, atol=1e-6)
    assert torch.allclose(found[0] - found[1], split[1], atol=1e-5)


def test_regions_by_the_adjoint_equal_conditional_maps(model: ImageModel, x: Tensor) -> None:
    propagator = LRP(model).propagator(x)
    record = propagator.record(x, memory=True)
    start = {"output": record.output[None]}
    region = torch.zeros(1, 5, 3, 12, 10)
    region[..., 2:7, 3:9] = 1
    up = propagator.up(record, {"input": region}, ["conv2", "conv1"])
    relevance = propagator.down(record, start, ["conv2", "conv1"])
    for layer in ("conv1", "conv2"):
        inside = (up[layer] * relevance[layer]).sum((-2, -1))[0]
        rows = conditions(propagator.graph, record, [{layer: [c]} for c in range(8)], exclude_parallel=True)
        maps = propagator.down(record, start, ["input"], rows)["input"]
        assert torch.allclose((maps * region).sum((2, 3, 4)).T, inside, atol=1e-4)


def test_errors_help(model: ImageModel, x: Tensor) -> None:
    lrp = LRP(model)
    with pytest.raises(GraphError, match=r"'conv3'.*conv2"):
        lrp(x, layers=["conv3"])
    with pytest.raises(ValueError, match="target=7"):
        lrp(x, 7)
    with pytest.raises(ValueError, match="no image"):
        lrp(x[:0])
    with pytest.raises(ValueError, match="epsilon_plus"):
        LRP(model, "epsilon_pluss")
    with pytest.raises(TypeError, match="gamma"):
        LRP(model, "epsilon_gamma_box", gama=1)
    with pytest.raises(ValueError, match="3 classes for 5 images"):
        lrp(x, [1, 2, 3])
    propagator = lrp.propagator(x)
    record = propagator.record(x)
    with pytest.raises(ValueError, match="names 9"):
        conditions(propagator.graph, record, [{"conv2": [9]}])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_modules_in_other_precisions(dtype: torch.dtype, model: ImageModel, x: Tensor) -> None:
    module = copy.deepcopy(model.module).to(dtype)
    other = ImageModel(module, input_size=(12, 10), mean=(0.5,) * 3, std=(0.5,) * 3)
    expected, found = LRP(model)(x, 1).relevance, LRP(other)(x, 1).relevance
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=1e-6 if dtype == torch.float64 else 0.1 * float(expected.abs().max()))
    assert all(parameter.dtype == dtype for parameter in module.parameters())


def test_models_that_share_modules(model: ImageModel, x: Tensor) -> None:
    body = model.module
    first, second = LRP(body), LRP(nn.Sequential(body, nn.Linear(5, 3)).eval())
    one, other = first(x, 1), second(x, 1)
    assert one.output.shape == (5, 5)
    assert other.output.shape == (5, 3)
    assert torch.equal(first(x, 1).relevance, one.relevance)


def test_a_huge_batch_goes_in_chunks(model: ImageModel, x: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    record = Propagator.record

    def spy(self: Propagator, part: Tensor, *rest: Any, **options: Any) -> Any:
        sizes.append(len(part))
        return record(self, part, *rest, **options)

    monkeypatch.setattr(Propagator, "record", spy)
    found = LRP(model, batch=64)(x.repeat(60, 1, 1, 1), 1).relevance
    assert sizes == [64, 64, 64, 64, 44]
    assert torch.allclose(found[295:], found[:5], atol=1e-6)


def test_maps_are_explained_where_their_main_class_is_predicted(x: Tensor) -> None:
    net = nn.Conv2d(3, 4, 3).eval()
    found = LRP(net)(x)
    with torch.no_grad():
        maps = net(x)
    for row, each in enumerate(maps):
        areas = each.argmax(0).flatten().bincount(minlength=4)
        start = torch.zeros_like(each)
        best = int(areas.argmax())
        start[best] = each[best] * (each.argmax(0) == best)
        alone = LRP(net)(x[row : row + 1], start=start[None])
        torch.testing.assert_close(found.relevance[row], alone.relevance[0], atol=1e-5, rtol=1e-4)


class Odd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.inv(self.linear(x.mean(1)))[:, 0]


def test_an_unknown_operation_is_named_before_any_work() -> None:
    model = ImageModel(Odd().eval(), input_size=(4, 4), channels=3)
    report = check(model)
    assert not report.ok
    assert report.unsupported[0].operation == "linalg_inv"
    assert "no rule" in str(report)
    assert "linalg_inv" in report._repr_html_()
    with pytest.raises(GraphError, match="linalg_inv"):
        LRP(model)(torch.randn(1, 3, 4, 4))


@pytest.mark.parametrize("change", ["half", "double", "strided", "channels_last"])
def test_kinds_of_input(change: str, model: ImageModel, x: Tensor) -> None:
    expected = LRP(model)(x, 1).relevance
    given = {
        "half": x.half,
        "double": x.double,
        "strided": lambda: x.mT.contiguous().mT,
        "channels_last": lambda: x.contiguous(memory_format=torch.channels_last),
    }[change]()
    found = LRP(model)(given, 1).relevance
    assert torch.allclose(found, expected, atol=1e-2 if change == "half" else 1e-6)


def test_composites_that_make_no_sense(model: ImageModel, x: Tensor) -> None:
    with pytest.raises(ValueError, match="attention='cplrp' is not known; did you mean 'cp'"):
        Composite(attention="cplrp")
    with pytest.raises(ValueError, match="kinds='Conv2d' is not known; did you mean 'conv2d'"):
        Composite(kinds={"Conv2d": Gamma()})
    with pytest.raises(TypeError, match=r"layers\['f\.\*'\]='epsilon' is no rule; give one such as Epsilon\(\)"):
        Composite(layers={"f.*": "epsilon"})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="default='gamma' is no rule"):
        Composite(default="gamma")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"treatments\['gelu'\]=3 is no function"):
        Composite(treatments={"gelu": 3})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="zero_bias='no' must be True or False"):
        LRP(model, zero_bias="no")
    with pytest.raises(TypeError, match="composite 'abs_lrp' takes no keyword 'zero_bias'"):
        LRP(model, "abs_lrp", zero_bias=True)
    with pytest.raises(ValueError, match=r"alpha=0\.5 must be at least 1: beta is alpha − 1"):
        LRP(model, "epsilon_alpha2_beta1", alpha=0.5)
    with pytest.raises(ValueError, match="low has 2 values for 3 channels; give one a channel"):
        LRP(model, "epsilon_gamma_box", low=(0.0, 0.0))
    with pytest.raises(TypeError, match="layers is list; give a dict of names and what they get"):
        Composite(layers=["conv2"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"steps=50 must be a place in \[0, 1\]"):
        Composite(steps=((50, Gamma()),))
    for pattern in ("conf2", "relu*"):
        mine = Composite(layers={pattern: Gamma()})
        for call in (lambda mine=mine: LRP(model, mine)(x), lambda mine=mine: check(model, mine)):
            with pytest.raises(ValueError, match=f"layers={pattern!r} is not known;".replace("*", r"\*")):
                call()
    lrp = LRP(model)
    with pytest.raises(ValueError, match="composite='epsilon_pluss' is not known; did you mean 'epsilon_plus'"):
        lrp.with_parameters(composite="epsilon_pluss")
    with pytest.raises(ValueError, match=r"composite=\['flat'\] is not known"):
        LRP(model, ["flat"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the composite takes no keyword 'gamma'"):
        LRP(model, Composite(), gamma=0.1)


@pytest.mark.parametrize("value", [-1, float("nan"), "0.1", None, True])
def test_strengths_are_numbers_of_at_least_zero(value: Any, model: ImageModel) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "epsilon": lambda: Epsilon(epsilon=value),
        "gamma": lambda: Gamma(gamma=value),
        "stabiliser": lambda: Gamma(stabiliser=value),
    }
    for name, call in calls.items():
        with pytest.raises(ValueError, match=f"{name}={value!r} must be a finite number of at least 0"):
            call()
    for composite in ("attn_lrp", "epsilon_gamma_box", "cp_lrp"):
        with pytest.raises(ValueError, match=f"gamma={value!r} must be a finite number"):
            LRP(model, composite, gamma=value)
    with pytest.raises(ValueError, match=f"epsilon={value!r} must be a finite number"):
        AbsLRP(model, epsilon=value)


def test_a_composite_of_ones_own_stays_and_is_described(model: ImageModel, x: Tensor) -> None:
    mine = Composite(name="epsilon_plus", default=Gamma(), layers={"conv2": Epsilon(epsilon=0.5)})
    lrp = LRP(model, mine)
    other = lrp.with_parameters(zero_bias=True)
    assert other.composite.layers == mine.layers
    assert lrp.with_parameters(composite="attn_lrp").composite.name == "attn_lrp"
    assert LRP(model, "attn_lrp", gamma=0.1).with_parameters(composite=mine).composite is mine
    assert [control["name"] for control in lrp.controls()] == ["zero_bias"]
    rules = lrp(x).provenance.parameters["rules"]
    assert rules == {"layers['conv2']": "ε = 0.5", "default": "γ = 0.25", "attention": "attn", "zero_bias": False}


def test_starts_and_names_that_do_not_fit(model: ImageModel, x: Tensor) -> None:
    lrp = LRP(model)
    start = torch.rand(5, 5)
    assert torch.equal(lrp(x, start=start.numpy()).relevance, lrp(x, start=start).relevance)  # type: ignore[arg-type]
    classes: list[dict[str, Any]] = [{"target": 3}, {"against": 1}]
    for asked in classes:
        with pytest.raises(ValueError, match="and start both say where relevance begins; give one of them"):
            lrp(x, start=start, **asked)
    with pytest.raises(ValueError, match="start has NaN, infinite or complex values"):
        lrp(x, start=start * float("nan"))
    for wrong in (start[:3], start[0]):
        with pytest.raises(ValueError, match=r"start has shape .*; give relevance at the output, \(5, classes\)"):
            lrp(x, start=wrong)
    with pytest.raises(ValueError, match=r"start has shape \(5, 4\); give \(N, 5\)"):
        lrp(x, start=start[:, :4])
    with pytest.raises(TypeError, match="start is str; give relevance at the output"):
        lrp(x, start="logit")  # type: ignore[arg-type]
    for call in (lrp, lambda x, **more: lrp.classes(x, [0], **more)):
        with pytest.raises(ValueError, match=r"layers='conv2' must be a list of names; give layers=\['conv2'\]"):
            call(x, layers="conv2")
    odd: list[Any] = [3, [3]]
    for layers in odd:
        with pytest.raises(ValueError, match=r"layers=.* must be a list of names, such as those in model\.layers"):
            lrp(x, layers=layers)
    for against, message in ((9, "against=9 is not a class"), ([1, 2], "against has 2 classes for 5 images")):
        with pytest.raises(ValueError, match=message):
            lrp(x, 0, against=against)
    assert lrp(x, layers=None).layers == {}  # type: ignore[arg-type]
    nothing: list[Any] = [[], 3, "cat"]
    for targets in nothing:
        with pytest.raises(ValueError, match="must list at least one class"):
            lrp.classes(x, targets)
    assert len(lrp.classes(x, torch.tensor([0, 3]))) == 2  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="batch=0 must be a whole number of at least 1"):
        LRP(model, batch=0)
