"""ImageModel: images in and out, answers, and a module that is read but never changed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tests.contract import untouched
from xaiwidgets import LRP, RELAX, ImageModel
from xaiwidgets.graph import GraphError


@pytest.fixture
def photo() -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    return Image.fromarray(values)


class TestPrepare:
    def test_every_kind_of_input_gives_the_same(self, small: ImageModel, photo: Image.Image, tmp_path: Path) -> None:
        path = tmp_path / "photo.png"
        photo.save(path)
        array = np.asarray(photo)
        chw = torch.from_numpy(array.copy()).permute(2, 0, 1)
        expected = small.prepare(photo)
        assert expected.shape == (1, 3, 16, 16)
        assert expected.dtype == torch.float32
        kinds: list[Any] = [
            path,
            str(path),
            array,
            chw,
            chw.float() / 255,
            chw.double() / 255,
            chw.float().numpy() / 255,
        ]
        kinds[-1] = kinds[-1].transpose(1, 2, 0)
        for image in kinds:
            torch.testing.assert_close(small.prepare(image), expected, atol=1e-6, rtol=0)
        many = small.prepare([path, photo, array, chw])
        torch.testing.assert_close(many, expected.expand(4, -1, -1, -1), atol=1e-6, rtol=0)
        torch.testing.assert_close(small.prepare(torch.stack([chw, chw])), expected.expand(2, -1, -1, -1))
        torch.testing.assert_close(small.prepare(np.stack([array, array])), expected.expand(2, -1, -1, -1))

    def test_resize_and_crop_keep_the_middle(self, small: ImageModel) -> None:
        wide = np.zeros((32, 96, 3), np.uint8)
        wide[:, 32:64] = 255
        assert (small.pixels(small.prepare(wide))[0, :, :, 2:-2] > 0.99).all()
        assert small.prepare(wide[:16, :16]).shape == (1, 3, 16, 16)
        assert small.prepare(wide[:3, :5]).shape == (1, 3, 16, 16)

    def test_size_overrides_the_transform(self, small: ImageModel, photo: Image.Image) -> None:
        assert small.prepare([photo, photo], size=(20, 37)).shape == (2, 3, 20, 37)
        assert torch.equal(small.prepare(photo, size=20), small.prepare(photo, size=(20, 20)))
        with pytest.raises(ValueError, match=r"size=\(20, 0\) must be \(H, W\), whole numbers of at least 1"):
            small.prepare(photo, size=(20, 0))

    def test_pixels_undo_normalise(self, small: ImageModel, photo: Image.Image) -> None:
        pixels = torch.rand(2, 3, 16, 16)
        x = small.normalise(pixels)
        torch.testing.assert_close(x, (pixels - 0.5) / 0.25)
        torch.testing.assert_close(small.pixels(x), pixels)
        assert small.pixels(x * 100).min() == 0
        assert small.pixels(x * 100).max() == 1
        assert small.pixels(small.prepare(photo)).shape == (1, 3, 16, 16)

    def test_grey_models_take_colour_and_grey(self, photo: Image.Image) -> None:
        module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 14 * 14, 3)).eval()
        model = ImageModel(module, input_size=16, mean=0, std=1)
        assert model.channels == 1
        torch.testing.assert_close(model.prepare(photo), model.prepare(photo.convert("L")))
        assert model.prepare(np.zeros((20, 20), np.uint8)).shape == (1, 1, 16, 16)

    def test_own_transform(self, photo: Image.Image) -> None:
        module = nn.Sequential(nn.Conv2d(3, 2, 3)).eval()
        model = ImageModel(module, transform=lambda picture: torch.full((3, 4, 4), float(picture.width)))
        assert torch.equal(model.prepare(photo), torch.full((1, 3, 4, 4), 64.0))

    def test_transforms_that_give_no_image(self, photo: Image.Image) -> None:
        def prepared(transform: Any) -> Tensor:
            return ImageModel(nn.Conv2d(3, 2, 3), transform=transform).prepare([photo, photo.resize((20, 20))])

        with pytest.raises(
            TypeError, match=r"transform gives a PIL image; let it return a tensor \(3, H, W\), say with"
        ):
            prepared(lambda picture: picture)
        with pytest.raises(TypeError, match="transform gives ndarray; let it return a tensor"):
            prepared(np.asarray)
        with pytest.raises(
            ValueError, match=r"transform gives uint8 of shape \(3, 4, 4\); let it return floats \(3, H, W\)"
        ):
            prepared(lambda picture: torch.zeros(3, 4, 4, dtype=torch.uint8))
        with pytest.raises(ValueError, match=r"transform gives float32 of shape \(1, 3, 4, 4\); let it return floats"):
            prepared(lambda picture: torch.zeros(1, 3, 4, 4))
        with pytest.raises(
            ValueError, match=r"transform gives images of shapes .*; let it end in one size, or give size="
        ):
            prepared(lambda picture: torch.zeros(3, picture.height, picture.width))

    def test_empty_list_and_missing_file(self, small: ImageModel) -> None:
        with pytest.raises(ValueError, match="images is empty; give at least one image"):
            small.prepare([])
        with pytest.raises(FileNotFoundError, match=r"no image file at nowhere\.jpg \(looked in .*\); check the path"):
            small.prepare("nowhere.jpg")


class TestManyChannels:
    @pytest.fixture
    def five(self) -> ImageModel:
        return ImageModel(nn.Conv2d(5, 2, 3).eval(), input_size=8, mean=(0.1, 0.2, 0.3, 0.4, 0.5), std=0.5)

    def test_arrays_and_tensors(self, five: ImageModel) -> None:
        shares = np.random.default_rng(0).random((8, 8, 5), dtype=np.float32)
        expected = (torch.from_numpy(shares).permute(2, 0, 1) - torch.tensor(five.mean)[:, None, None]) / 0.5
        planes = torch.from_numpy(shares).permute(2, 0, 1)
        for image in (shares, planes, planes.numpy(), planes.double()):
            torch.testing.assert_close(five.prepare(image), expected[None])
        torch.testing.assert_close(five.prepare([shares, planes]), expected.expand(2, -1, -1, -1))
        bytes_, words = (shares * 255).astype(np.uint8), (shares * 65535).astype(np.uint16)
        torch.testing.assert_close(five.prepare(bytes_), expected[None], atol=0.01, rtol=0)
        torch.testing.assert_close(five.prepare(words), expected[None], atol=1e-4, rtol=0)
        torch.testing.assert_close(five.pixels(five.prepare(shares))[0], planes)

    def test_sizes(self, five: ImageModel) -> None:
        wide = np.zeros((16, 40, 5), np.float32)
        wide[:, 12:28] = 1.0
        assert (five.pixels(five.prepare(wide))[:, :, :, 1:-1] > 0.9).all(), "the middle is kept"
        assert five.prepare(wide, size=(4, 10)).shape == (1, 5, 4, 10)

    def test_statistics_in_units_of_the_values(self) -> None:
        model = ImageModel(nn.Conv2d(2, 2, 3).eval(), input_size=4, mean=(1000.0, 2000.0), std=(100.0, 400.0))
        radiance = np.stack([np.full((4, 4), 1200), np.full((4, 4), 1800)], 2).astype(np.int16)
        found = model.prepare(radiance)
        torch.testing.assert_close(found, torch.tensor([2.0, -0.5]).view(1, 2, 1, 1).expand(1, 2, 4, 4))

    def test_what_does_not_fit(self, five: ImageModel) -> None:
        wrong: list[tuple[Any, str]] = [
            (np.zeros((8, 8, 3), np.uint8), r"an image array has shape \(8, 8, 3\); give an array \(H, W, 5\)"),
            (torch.zeros(4, 8, 8), r"an image tensor has shape \(4, 8, 8\); give an array"),
            (np.full((8, 8, 5), 1200, np.int16), r"an image of int16 has values from 1.2e\+03 .* not in \[0, 1\]; give ImageModel"),
            (np.full((8, 8, 5), np.nan, np.float32), "an image has NaN or infinite values"),
            (Image.new("RGB", (8, 8)), "pictures have 1 or 3 channels, Conv2d takes 5; make a normalised tensor"),
        ]  # fmt: skip
        for image, message in wrong:
            with pytest.raises(ValueError, match=message):
                five.prepare(image)

    def test_volumes(self, small: ImageModel) -> None:
        volume = torch.zeros(1, 3, 4, 16, 16)
        for call in (small.scores, LRP(small), small.prepare):
            with pytest.raises(
                ValueError, match=r"has shape \(1, 3, 4, 16, 16\): volumes and videos .* explain slices of them"
            ):
                call(volume)


class TestStatisticsNobodyGave:
    def test_are_said_once(self, photo: Image.Image) -> None:
        model = ImageModel(nn.Conv2d(3, 2, 3).eval())
        assert "mean 0 and std 1 assumed" in repr(model)
        with pytest.warns(
            UserWarning,
            match=r"Conv2d: nobody said how it takes its images; mean 0 and std 1 were assumed, .* and 224×224 pixels; "
            r"give mean= and std= as it was trained \(for ImageNet mean=\(0.485, .* and input_size=",
        ):
            model.prepare(photo)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.prepare(photo)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"mean": 0.5, "input_size": 8}, r"std 1 was assumed; give mean= and std="),
            ({"input_size": 8}, r"mean 0 and std 1 were assumed, for pixel values in \[0, 1\]; give mean="),
            ({"mean": 0.5, "std": 0.5}, r"images; 224×224 pixels were assumed; give input_size="),
        ],
    )
    def test_each(self, photo: Image.Image, options: dict[str, Any], message: str) -> None:
        with pytest.warns(UserWarning, match=message):
            ImageModel(nn.Conv2d(3, 2, 3).eval(), **options).prepare(photo)

    def test_what_is_given_or_known_is_not_assumed(self, photo: Image.Image, cnn: ImageModel) -> None:
        import timm

        for model in (
            cnn,
            ImageModel(nn.Conv2d(3, 2, 3).eval(), mean=0, std=1, input_size=8),
            ImageModel(nn.Conv2d(3, 2, 3).eval(), transform=lambda picture: torch.zeros(3, 8, 8)),
            ImageModel(timm.create_model("vit_tiny_patch16_224", img_size=32, depth=1).eval()),
        ):
            model.prepare(photo)
            assert "assumed" not in repr(model)


class TestConstruction:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"mean": (0.5,), "channels": 3}, "mean has 1 values for 3 channels; give one a channel"),
            ({"std": (1.0, 1.0)}, "std has 2 values for 3 channels"),
            ({"std": (1.0, 0.0, 1.0)}, "must be positive; give the standard deviation of each channel"),
            ({"std": -0.5}, "must be positive; give the standard deviation of each channel"),
            ({"mean": float("nan")}, "mean=nan must be finite numbers, one a channel"),
            ({"mean": (0.5, float("inf"), 0.5)}, r"mean=\(0.5, inf, 0.5\) must be finite numbers"),
            ({"mean": "0.5"}, "mean='0.5' must be finite numbers"),
            ({"std": ()}, r"std=\(\) must be finite numbers"),
            ({"channels": 0}, "channels=0 must be a whole number of at least 1"),
            ({"class_names": []}, "class_names is empty; give one name a class, or None"),
            *[
                (
                    {"input_size": size},
                    r"input_size=.* must be \(H, W\), whole numbers of at least 1, or one such number",
                )
                for size in ("32", (0, 0), -1, 32.0, (3, 32, 32), (32,), (32, 16.5), True, {"height": 32})
            ],
        ],
    )
    def test_arguments_that_do_not_fit(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            ImageModel(nn.Conv2d(3, 2, 3), **options)

    @pytest.mark.parametrize("names", ["cat", {0: "cat", 1: "dog"}, {"cat", "dog"}, 2])
    def test_names_that_are_no_list(self, names: Any) -> None:
        with pytest.raises(
            TypeError, match=r"class_names is .*; give a list of one name a class, in the classes' order"
        ):
            ImageModel(nn.Conv2d(3, 2, 3), class_names=names)
        with pytest.raises(TypeError, match="transform is str; give a function from a PIL image"):
            ImageModel(nn.Conv2d(3, 2, 3), transform="resize")  # type: ignore[arg-type]

    def test_numbers_of_any_kind(self) -> None:
        size: Any
        for size in (32, np.int64(32), torch.tensor(32), (32, 32), [32, 32], np.array([32, 32]), torch.Size([32, 32])):
            model = ImageModel(nn.Conv2d(3, 2, 3), input_size=size, mean=0.5, std=np.array([0.5, 0.25, 1.0]))  # type: ignore[arg-type]
            assert (model.input_size, model.mean, model.std) == ((32, 32), (0.5,) * 3, (0.5, 0.25, 1.0))
        assert ImageModel(nn.Conv2d(1, 2, 3), mean=0.5).mean == (0.5,)
        assert ImageModel(nn.Conv2d(3, 2, 3), class_names=np.array(["a", "b"])).class_names == ("a", "b")  # type: ignore[arg-type]

    @pytest.mark.filterwarnings("default")
    def test_another_number_of_names_than_classes_is_said_once(self, tiny: ImageModel) -> None:
        model = ImageModel(tiny.module, input_size=16, class_names=["a", "b"])
        x = torch.randn(1, 3, 16, 16)
        with pytest.warns(
            UserWarning, match="class_names has 2 names, Sequential has 5 classes; give one name a class"
        ):
            model.predict(x)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.predict(x)
        with pytest.warns(UserWarning, match="class_names has 2 names"):
            LRP(ImageModel(tiny.module, input_size=16, class_names=["a", "b"]))(x)

    def test_no_module(self) -> None:
        with pytest.raises(TypeError, match=r"module is str; give a torch.nn.Module, or load one with xaiwidgets.load"):
            ImageModel("resnet18")  # type: ignore[arg-type]

    def test_timm_modules_built_for_other_images(self) -> None:
        import timm

        grey = ImageModel(timm.create_model("resnet18", in_chans=1).eval(), input_size=64)
        assert grey.channels == len(grey.mean) == len(grey.std) == 1
        assert grey.mean[0] == pytest.approx((0.485 + 0.456 + 0.406) / 3)
        assert grey.predict(grey.prepare(np.zeros((70, 80, 3), np.uint8))).classes.shape == (1, 5)
        small = ImageModel(timm.create_model("vit_tiny_patch16_224", img_size=(64, 96), in_chans=4).eval())
        assert (small.channels, small.input_size, small.mean) == (4, (64, 96), (0.5,) * 4)
        # Its first convolution takes 48 channels, of space that has become depth.
        assert ImageModel(timm.create_model("tresnet_m").eval()).channels == 3
        if timm.is_model("csatv2"):  # of newer releases; begins with a cosine transform
            assert ImageModel(timm.create_model("csatv2").eval()).channels == 3

    def test_images_of_a_size_that_a_transformer_does_not_take(self) -> None:
        import timm

        model = ImageModel(timm.create_model("vit_tiny_patch16_224", img_size=32, depth=1).eval())
        x = torch.zeros(1, 3, 48, 48)
        for call in (model.predict, LRP(model)):
            with pytest.raises(
                GraphError, match=r"x of shape \(N, 3, 48, 48\) .* does not run through VisionTransformer"
            ):
                call(x)

    def test_timm_modules_bring_their_own_numbers(self) -> None:
        import timm

        model = ImageModel(timm.create_model("vit_tiny_patch16_224", pretrained=False).eval())
        assert (model.mean, model.std, model.input_size) == ((0.5,) * 3, (0.5,) * 3, (224, 224))
        assert "VisionTransformer, 3×224×224, cpu" in repr(model)


class TestAnswers:
    def test_scores_are_the_modules(self, cnn: ImageModel, x: Tensor) -> None:
        with torch.inference_mode():
            expected = cnn.module(x)
        torch.testing.assert_close(cnn.scores(x), expected, atol=1e-4, rtol=1e-4)
        many = x.repeat(30, 1, 1, 1)
        torch.testing.assert_close(cnn.scores(many), expected.repeat(30, 1), atol=1e-4, rtol=1e-4)
        assert cnn.scores(x[0]).shape == (1, 8)

    def test_predict_names_the_best(self, cnn: ImageModel, x: Tensor) -> None:
        prediction = cnn.predict(x, top=2)
        assert cnn.class_names is not None
        scores = cnn.scores(x)
        for row in range(3):
            order = scores[row].argsort(descending=True)[:2].tolist()
            assert prediction.classes[row].tolist() == order
            assert prediction.names[row] == tuple(cnn.class_names[index] for index in order)
        torch.testing.assert_close(prediction.probabilities, scores.softmax(1))
        assert f"image 0: {prediction.names[0][0]} " in str(prediction)
        assert cnn.predict(x, top=50).classes.shape == (3, 8)

    def test_targets(self, cnn: ImageModel) -> None:
        scores = torch.eye(8)[:3]
        assert cnn.class_names is not None
        name = cnn.class_names[5]
        for target, expected in [
            (None, [0, 1, 2]),
            (4, [4, 4, 4]),
            (name, [5, 5, 5]),
            ([1, name, 7], [1, 5, 7]),
            (torch.tensor([3, 2, 1]), [3, 2, 1]),
            (np.int64(6), [6, 6, 6]),
            (np.array([0, 0, 1]), [0, 0, 1]),
            ([np.int64(1), torch.tensor(2), name], [1, 2, 5]),
        ]:
            assert cnn.targets(scores, target).tolist() == expected
        wrong: list[Any] = [8, -1, 1.0, True, [0, 1, 9], [0, 1, np.float32(2)], torch.tensor(1.0)]
        for target in wrong:
            with pytest.raises(
                ValueError, match=r"is not a class of demo:shapes-cnn; give 0 to 7, a class name, or None"
            ):
                cnn.targets(scores, target)
        with pytest.raises(ValueError, match="target has 2 classes for 3 images"):
            cnn.targets(scores, [1, 2])
        with pytest.raises(ValueError, match=f"target='{name[:-1]}' is not known; did you mean '{name}'"):
            cnn.targets(scores, name[:-1])

    def test_names_without_class_names(self, small: ImageModel) -> None:
        with pytest.raises(ValueError, match="has no class names; give an index or class_names="):
            small.targets(torch.zeros(1, 5), "cat")

    @pytest.mark.parametrize(
        ("bad", "kind", "message"),
        [
            ("cat.jpg", TypeError, r"x is str; give a tensor \(N, 3, H, W\), as model.prepare\(image\) makes"),
            (torch.zeros(3, 1, 16, 16), ValueError, "x has 1 channels, Sequential takes 3"),
            (torch.zeros(0, 3, 16, 16), ValueError, "no image in it; give at least one"),
            (torch.zeros(1, 3, 16, 16).byte(), ValueError, r"x is of uint8; .* by model.prepare\(x\)"),
            (torch.zeros(16, 16), ValueError, r"x has shape \(16, 16\); give \(N, 3, H, W\)"),
            (torch.full((2, 3, 16, 16), torch.nan), ValueError, r"x\[0\] has NaN or infinite values; clean the image"),
        ],
    )
    def test_images_that_do_not_fit(self, small: ImageModel, bad: Any, kind: type[Exception], message: str) -> None:
        for call in (small.scores, small.predict, RELAX(small, n_masks=4, cells=2)):
            with pytest.raises(kind, match=message):
                call(bad)


class TestModule:
    def test_training_mode_warns_and_stays(self, tiny: ImageModel) -> None:
        tiny.module.train()
        x = torch.randn(2, 3, 16, 16)
        with untouched(tiny.module):
            with pytest.warns(UserWarning, match="is in training mode; it is explained in evaluation mode"):
                scores = tiny.scores(x)
            RELAX(tiny, n_masks=32, cells=3)(x)
        tiny.module.eval()
        torch.testing.assert_close(scores, tiny.module(x).detach(), atol=1e-5, rtol=1e-5)

    @pytest.mark.parametrize("change", ["add_", "data", "data in place", "load", "replace", "other layer"])
    def test_changed_weights_are_noticed(self, tiny: ImageModel, change: str) -> None:
        x = torch.randn(2, 3, 16, 16)
        before = tiny.scores(x)
        first = tiny.graph
        assert tiny.graph is first, "an unchanged module is exported once"
        layer = tiny.module[0]  # type: ignore[index]
        assert isinstance(layer, nn.Conv2d)
        with torch.no_grad():
            if change == "add_":
                layer.weight.add_(1)
            elif change == "data":
                layer.weight.data = layer.weight.data * 2
            elif change == "data in place":
                layer.weight.data.mul_(2)
            elif change == "load":
                tiny.module.load_state_dict({key: value + 1 for key, value in tiny.module.state_dict().items()})
            elif change == "replace":
                layer.weight = nn.Parameter(layer.weight * 3)
            else:
                tiny.module[2] = nn.Tanh()  # type: ignore[operator]
            expected = tiny.module(x)
        assert not torch.allclose(expected, before)
        torch.testing.assert_close(tiny.scores(x), expected, atol=1e-4, rtol=1e-4)

    def test_weights_made_in_inference_mode(self) -> None:
        with torch.inference_mode():
            module = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(2 * 36, 3)).eval()
        model = ImageModel(module, input_size=8)
        x = torch.randn(2, 3, 8, 8)
        with torch.inference_mode():
            expected = module(x)
        torch.testing.assert_close(model.scores(x), expected, atol=1e-5, rtol=1e-5)

    def test_a_module_that_cannot_be_exported_still_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Branching(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.head = nn.Linear(48, 4)

            def forward(self, x: Tensor) -> Tensor:
                return self.head((x * 2 if x.sum() > 0 else x).flatten(1))

        torch.manual_seed(0)
        module = Branching().train()
        model = ImageModel(module, input_size=4)
        x = torch.rand(2, 3, 4, 4)
        with untouched(module), pytest.warns(UserWarning, match="training mode"):
            torch.testing.assert_close(model.scores(x), module(x).detach())
        calls = []
        monkeypatch.setattr("xaiwidgets.model.graphs.export", lambda *arguments: calls.append(1))
        assert model.predict(x).classes.shape == (2, 4)
        assert RELAX(model, n_masks=16, cells=2)(x).importance.shape == (2, 4, 4)
        assert calls == [], "what failed once is not traced again and again"
        with pytest.raises(GraphError, match="control flow depends on values"):
            _ = model.graph

    def test_outputs_that_are_no_representation(self) -> None:
        class Several(nn.Module):
            def __init__(self, kind: str) -> None:
                super().__init__()
                self.conv, self.kind = nn.Conv2d(3, 4, 3), kind

            def forward(self, x: Tensor) -> Any:
                maps = self.conv(x)
                vector = maps.mean((2, 3))
                return {"tuple": (vector, maps), "map": maps, "vector": vector}[self.kind]

        model = ImageModel(Several("tuple").eval(), input_size=8)
        x = torch.rand(1, 3, 8, 8)
        for call in (lambda: RELAX(model), lambda: model.scores(x), lambda: LRP(model)(x)):
            with pytest.raises(
                (ValueError, GraphError),
                match=r"Several gives tuple of 0 \(\d, 4\), 1 \(\d, 4, 6, 6\), not one tensor; say which .* output=0",
            ):
                call()
        with pytest.raises(
            ValueError,
            match=r"Several gives an output of shape \(1, 4, 6, 6\), no scores \(N, classes\); model\.output",
        ):
            ImageModel(Several("map").eval(), input_size=8).scores(torch.rand(1, 3, 8, 8))
        with pytest.raises(ValueError, match=r"gives shape \(2, 4, 6, 6\) for 2 images.* choose pool='mean'"):
            RELAX(ImageModel(Several("map").eval(), input_size=8))
        encoder = ImageModel(Several("vector").eval(), input_size=8).encoder()
        assert encoder(torch.rand(3, 3, 8, 8)).shape == (3, 4)

    def test_device_is_the_modules(self, tiny: ImageModel) -> None:
        assert tiny.device == torch.device("cpu")
        assert tiny.prepare(np.zeros((9, 9, 3), np.uint8)).device == tiny.device
        assert tiny.validate(torch.zeros(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)).dtype == torch.float32

    def test_layers_are_named_in_order(self, cnn: ImageModel) -> None:
        names = [name for name in cnn.layers if "conv" in name]
        assert names == [f"features.conv{number}" for number in range(1, 7)]
        with pytest.raises(RuntimeError, match="conv9"):
            cnn.encoder("features.conv9")
