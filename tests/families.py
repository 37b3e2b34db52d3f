"""One small model of every architecture family of timm, and what is tried on each: scores, RELAX, LRP, absLRP, CRP.

Used by the benchmark `families`, which tries all of them and keeps a log, and by slow tests, which try a few.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tests.lrp.zoo import randomise
from xaiwidgets.crp import CRP
from xaiwidgets.graph import GraphError
from xaiwidgets.lrp import LRP, AbsLRP, check
from xaiwidgets.model import ImageModel
from xaiwidgets.relax import RELAX

CLASSES = 10


@dataclass(frozen=True)
class Entry:
    """A model to try: how it is called, the size of images (None: its own), what its maker takes beside that."""

    name: str
    size: int | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class Outcome:
    """What came of one model. `status` is "pass", "refused" (by `check`, by name) or "fail"; `step` is where it ended."""

    name: str
    status: str = "pass"
    step: str = ""
    said: str = ""
    operations: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def line(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def attempt(name: str, module: nn.Module, x: Tensor, output: Callable[[Any], Tensor] | None = None) -> Outcome:
    """Every method on one module, or on the first entry of `output` of what it returns: the result, and where it stopped.

    Refused is what `check` refuses before anything is explained, with the layer in its words; all else that raises, gives values
    that are not finite or scores other than the module's is a failure.
    """
    size = (x.shape[2], x.shape[3])
    outcome, model = Outcome(name), ImageModel(module, input_size=size, mean=0.0, std=1.0, output=output)
    for step, work in _steps(model, x, output):
        begin = time.perf_counter()
        try:
            said = work()
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{type(error).__name__}: {error} ({frame.filename.rsplit('/', 1)[-1]}:{frame.lineno})"
            refused = step == "check" and isinstance(error, GraphError)
            outcome.status, outcome.step = "refused" if refused else "fail", step
        outcome.seconds[step] = round(time.perf_counter() - begin, 2)
        if outcome.status == "pass" and said:
            outcome.status, outcome.step = ("refused" if step == "check" else "fail"), step
        if outcome.status != "pass":
            outcome.said = (said or "")[:600]
            return outcome
    outcome.operations = len(model.graph_for(x).operations)
    return outcome


def _steps(
    model: ImageModel, x: Tensor, output: Callable[[Any], Tensor] | None
) -> Iterator[tuple[str, Callable[[], str | None]]]:
    """Name and work of each step; what a step returns is what is wrong."""
    target = None if output is None else 0  # the largest of values that are no scores means nothing

    def checked() -> str | None:
        report = check(model)
        return (
            None if report.ok else "; ".join(f"{row.layer}: {row.operation}: {row.note}" for row in report.unsupported)
        )

    def scores() -> str | None:
        with torch.no_grad():
            returned = model.module(x)
        expected = returned if output is None else output(returned)
        found = model.scores(x)
        off = float((found - expected).abs().max() / expected.abs().max().clamp(min=1e-6))
        return None if off <= 1e-3 else f"scores are {off:.2g} of the largest off"

    yield "check", checked
    yield "scores", scores
    yield "RELAX", lambda: _finite(RELAX(model, n_masks=8, masks="random")(x[:1], progress=False).importance)
    yield "LRP", lambda: _finite(LRP(model)(x, target).relevance)
    yield "absLRP", lambda: _finite(AbsLRP(model)(x, target).relevance)
    yield "CRP", lambda: _ranked(model, x, target)


def _finite(values: Tensor) -> str | None:
    if not torch.isfinite(values).all():
        return "values are not finite"
    return None if float(values.abs().max()) > 0 else "all values are zero"


def _ranked(model: ImageModel, x: Tensor, target: int | None) -> str | None:
    crp = CRP(model)
    layer = crp.layers[len(crp.layers) // 2]
    ranking = crp.rank(x[:1], layer=layer, target=target)
    return _finite(torch.as_tensor(ranking.relevance))


def timm_model(entry: Entry) -> tuple[nn.Module, Tensor]:
    """A timm model with random weights that leave nothing at zero, and two images."""
    import timm

    torch.manual_seed(SEEDS.get(entry.name, 0))
    module: Any = timm.create_model(entry.name, pretrained=False, num_classes=CLASSES, **entry.options)
    size = entry.size or entry.options.get("img_size") or module.pretrained_cfg.get("input_size", (3, 224, 224))[-1]
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(2))
    return randomise(module), x


def _entries(text: str, size: int | None = None) -> dict[str, Entry]:
    """Lines of "module: model model …"; the first model is the family's own, others are variants with other steps."""
    found = {}
    for line in text.strip().splitlines():
        module, names = line.split(":")
        for number, name in enumerate(names.split()):
            found[module.strip() + "+" * number] = Entry(name, size)
    return found


# The smallest model of each of `timm.list_modules()`, and variants whose steps differ; images as small as the family takes.
FAMILIES: dict[str, Entry] = {
    **_entries(
        """
        byobnet: test_byobnet mobileone_s1 gernet_s repvgg_a0 resnet33ts eca_resnext26ts gcresnet33ts
        convmixer: convmixer_768_32
        convnext: test_convnext convnextv2_atto test_convnext3
        cpubone: cpubone_nano
        cspnet: cs3darknet_focus_s darknet17 cspresnext50 cs3sedarknet_l
        cspnext: cspnext_tiny
        densenet: densenet121
        dla: dla46x_c dla60_res2net
        dpn: dpn48b
        edgenext: edgenext_xx_small
        efficientnet: test_efficientnet test_efficientnet_gn tinynet_e mixnet_s tf_efficientnet_cc_b0_4e mobilenetv2_035 fbnetc_100
        efficientvim: efficientvim_m1
        efficientvit_mit: efficientvit_b0 efficientvit_l1
        fasternet: fasternet_t0
        fastvit: fastvit_t8 fastvit_sa12
        ghostnet: ghostnet_050 ghostnetv2_100 ghostnetv3_050
        hardcorenas: hardcorenas_b
        hgnet: hgnetv2_b0 hgnet_tiny
        iformer: iformer_t
        inception_next: inception_next_atto
        lcnetv2: lcnetv2_small
        lowformer: lowformer_b0
        mambaout: test_mambaout
        metaformer: poolformerv2_s12 poolformer_s12 caformer_s18 convformer_s18
        mobilenetv3: mobilenetv3_small_050 lcnet_035 fbnetv3_b mobilenetv4_conv_small mobilenetv4_hybrid_medium
        mobilevit: mobilevit_xxs mobilevitv2_050
        nfnet: test_nfnet nf_regnet_b0 eca_nfnet_l0
        nextvit: nextvit_small
        pvt_v2: pvt_v2_b0 pvt_v2_b2_li
        rdnet: rdnet_tiny
        regnet: regnetx_002 regnety_002 regnetz_005
        repghost: repghostnet_050
        repvit: repvit_m1
        res2net: res2next50 res2net50_14w_8s
        resnest: resnest14d
        resnet: test_resnet resnet10t ecaresnet26t seresnet18 resnetblur18 resnetaa34d
        resnetv2: resnetv2_18
        rexnet: rexnet_100
        selecsls: selecsls42
        senet: legacy_seresnet18
        shvit: shvit_s1
        sknet: skresnet18
        starnet: starnet_s050
        tresnet: tresnet_m tresnet_v2_l
        vovnet: ese_vovnet19b_slim_dw eca_vovnet39b
        """,
        size=64,
    ),
    **_entries(
        """
        csatv2: csatv2
        davit: davit_tiny
        focalnet: focalnet_tiny_srf
        gemma4_vit: gemma4_vit_167m
        hrnet: hrnet_w18_small
        inception_resnet_v2: inception_resnet_v2
        inception_v3: inception_v3
        inception_v4: inception_v4
        mobilenetv5: mobilenetv5_base
        naflexvit: naflexvit_base_patch16_parfac_gap
        nasnet: nasnetalarge
        pnasnet: pnasnet5large
        qwen3_vit: qwen3_vit_88m
        xception: legacy_xception
        xception_aligned: xception41p
        """,
        size=128,
    ),
    **_entries(
        """
        beit: beit_base_patch16_224
        byobnet+bat: bat_resnext26ts
        byoanet: halonet_h1 eca_botnext26ts_256 lambda_resnet26rpt_256 sehalonet33ts haloregnetz_b
        cait: cait_xxs24_224
        coat: coat_tiny coat_lite_tiny
        convit: convit_tiny
        crossvit: crossvit_tiny_240 crossvit_9_dagger_240
        deit: deit_tiny_patch16_224 deit_tiny_distilled_patch16_224
        efficientformer: efficientformer_l1
        efficientformer_v2: efficientformerv2_s0
        efficientvit_msra: efficientvit_m0
        eva: vit_tiny_patch16_dinov3_qkvb eva02_tiny_patch14_224 vit_pe_core_tiny_patch16_384
        gcvit: gcvit_xxtiny
        hiera: hiera_tiny_224 hiera_small_abswin_256
        levit: levit_128s levit_conv_128s
        maxxvit: test_coatnet test_maxvit coatnext_nano_rw_224 maxxvit_rmlp_nano_rw_256 coatnet_rmlp_nano_rw_224
        mlp_mixer: gmlp_ti16_224 mixer_s32_224 resmlp_12_224 gmixer_12_224
        mvitv2: mvitv2_tiny
        nest: nest_tiny
        pit: pit_ti_224
        sequencer: sequencer2d_s
        swiftformer: swiftformer_xs
        swin_transformer: swin_tiny_patch4_window7_224
        swin_transformer_v2: swinv2_tiny_window8_256
        swin_transformer_v2_cr: swinv2_cr_tiny_224
        tiny_vit: tiny_vit_5m_224
        tnt: tnt_s_legacy_patch16_224
        twins: twins_svt_small twins_pcpvt_small
        visformer: visformer_tiny
        vision_transformer: test_vit test_vit2 vit_small_patch14_dinov2
        vision_transformer_hybrid: vit_tiny_r_s16_p8_224
        vision_transformer_relpos: test_vit_relpos vit_relpos_small_patch16_224
        vision_transformer_sam: samvit_base_patch16_224
        vitamin: vitamin_small_224
        volo: volo_d1_224
        xcit: xcit_nano_12_p8_224
        """
    ),
    "hieradet_sam2": Entry("sam2_hiera_tiny", 224),
    "vgg": Entry("vgg11", 64),
    "vgg+": Entry("vgg11_bn", 64),
    "deepseek_vit": Entry("deepseek_vit_412m", 126, {"depth": 4}),
}
SMALLER: dict[str, dict[str, Any]] = {
    "vit_small_patch14_dinov2": {"img_size": 224},
    "vit_tiny_patch16_dinov3_qkvb": {"img_size": 128},
}
# With other random weights all features before its classifier are negative, which absLRP, dropping those, rightly leaves nothing of.
SEEDS: dict[str, int] = {"coat_tiny": 1}
