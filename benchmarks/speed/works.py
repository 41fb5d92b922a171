"""What is measured: each work with its goal, ours and the peers'."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from captum.attr import IntegratedGradients, LayerGradCam
from contest import Contest, Setting
from networks import attention, named
from pytorch_grad_cam import (
    AblationCAM,
    EigenCAM,
    EigenGradCAM,
    FullGrad,
    GradCAM,
    GradCAMPlusPlus,
    HiResCAM,
    LayerCAM,
    ScoreCAM,
    XGradCAM,
)  # fmt: skip
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from scoring import confidence, localization, road
from torch import Tensor, nn
from whole import whole

import xaibench
from xaibench.core.maps import finish

TARGET = 1
SEVEN = {
    "gradcam": GradCAM,
    "gradcam_pp": GradCAMPlusPlus,
    "hirescam": HiResCAM,
    "xgradcam": XGradCAM,
    "layercam": LayerCAM,
    "eigencam": EigenCAM,
    "eigengradcam": EigenGradCAM,
}


def library(setting: Setting, kind: Any, images: Tensor, batch_size: int = 0) -> np.ndarray:
    """Return the maps of a pytorch-grad-cam class."""
    with kind(setting.model, [setting.layer]) as cam:
        if batch_size:
            cam.batch_size = batch_size
        return cam(images, [ClassifierOutputTarget(TARGET)] * len(images))


def largest(ours: Tensor, theirs: np.ndarray | Tensor) -> float:
    """Return the largest difference of maps, both stretched to [0, 1]."""
    stretched, _ = finish(torch.as_tensor(theirs), tuple(ours.shape[1:]), sign="none")
    return float((ours - stretched).abs().max())


def cams(setting: Setting) -> Iterator[Contest]:
    """Seven CAMs from one pass."""
    images = setting.images

    def theirs() -> dict[str, np.ndarray]:
        return {name: library(setting, kind, images) for name, kind in SEVEN.items()}

    def differ(mine: dict[str, Tensor], maps: dict[str, np.ndarray]) -> float:
        # The library's eps in Grad-CAM++ and its sign of Eigen-CAM make other maps of these.
        same = [name for name in SEVEN if name not in ("gradcam_pp", "eigencam", "eigengradcam")]
        return max(largest(mine[name], maps[name]) for name in same)

    yield Contest(
        "seven CAMs together", ">= 25x, >= 0.85 of one forward's limit", len(images),
        lambda: setting.explainer(images, TARGET, list(SEVEN)), {"grad-cam": theirs}, passes=1,
        difference=differ,
    )  # fmt: skip


def gradcam(setting: Setting) -> Iterator[Contest]:
    """Grad-CAM alone, of a batch and of a single image."""
    captum = LayerGradCam(setting.model, setting.layer)
    for count in (len(setting.images), 1):
        images = setting.images[:count]
        yield Contest(
            f"Grad-CAM, {count} at once", ">= 3x grad-cam, >= 1x captum", count,
            lambda images=images: setting.explainer(images, TARGET)["gradcam"],
            {
                "grad-cam": lambda images=images: library(setting, GradCAM, images),
                "captum": lambda images=images: captum.attribute(
                    images, TARGET, relu_attributions=True
                )[:, 0].detach(),
            },
            passes=1, difference=largest,
        )  # fmt: skip


def ablation(setting: Setting) -> Iterator[Contest]:
    """Ablation-CAM: the closed form behind one layer, the head alone behind two."""
    images = setting.images[:1]
    goals = {"": ">= 1000x at the peer's best batch", ", two-layer head": ">= 200x"}
    for head, goal in goals.items():
        given = _with_two_layers(setting) if head else setting
        given.explainer(images, TARGET, ["ablationcam"])  # the head is tried out once and for all
        yield Contest(
            f"Ablation-CAM{head}", goal, 1,
            lambda given=given: given.explainer(images, TARGET, ["ablationcam"])["ablationcam"],
            {f"grad-cam, batch {size}": lambda given=given, size=size: library(
                given, AblationCAM, images, size) for size in ((8,) if head else (8, 32))},
            passes=1, rounds=1, difference=largest,
        )  # fmt: skip


def _with_two_layers(setting: Setting) -> Setting:
    model = copy.deepcopy(setting.model)
    name, last = [each for each in model.named_modules() if isinstance(each[1], nn.Linear)][-1]
    layers = [nn.Linear(last.in_features, 512), nn.ReLU(), nn.Linear(512, 2)]
    nn.init.ones_(layers[-1].bias)  # the peer divides by the logit, and turns maps round below 0
    model.set_submodule(name, nn.Sequential(*layers).eval())
    return replace(setting, model=model, explainer=xaibench.Explainer(model))


def fullgrad(setting: Setting) -> Iterator[Contest]:
    """FullGrad."""
    images = setting.images[:4]
    yield Contest(
        "FullGrad", ">= 20x", len(images),
        lambda: setting.explainer(images, TARGET, ["fullgrad"])["fullgrad"],
        {"grad-cam": lambda: library(setting, FullGrad, images)}, passes=2, difference=largest,
    )  # fmt: skip


def scorecam(setting: Setting) -> Iterator[Contest]:
    """Score-CAM, at equal maps."""
    images = setting.images[:1]
    spec = "scorecam[align_corners=true]"
    peers = {
        "grad-cam, batch 16 (default)": lambda: library(setting, ScoreCAM, images, 16),
        "grad-cam, batch 4": lambda: library(setting, ScoreCAM, images, 4),
    }
    if find_spec("torchcam"):
        peers["torchcam"] = lambda: _torchcam(setting, images)
    yield Contest(
        "Score-CAM", ">= 1.4x the peer's best batch, >= 2x its default, >= 0.85 of the limit", 1,
        lambda: setting.explainer(images, TARGET, [spec])[spec],
        peers, passes=_channels(setting), rounds=1, difference=largest,
        alone={
            "ours": f"setting.explainer(setting.images[:1], {TARGET}, ['{spec}'])",
            "grad-cam, batch 4": "library(setting, ScoreCAM, setting.images[:1], 4)",
        },
    )  # fmt: skip


def compiled(setting: Setting) -> Iterator[Contest]:
    """Score-CAM, compiled and in half precision, against our own usual way."""
    images, spec = setting.images[:1], "scorecam"
    kinds: dict[str, dict[str, Any]] = {"compiled": {}}
    # Without such instructions it had no end in ten minutes; there is no public way to ask.
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        kinds["compiled, bf16"] = {"precision": "bf16"}
    for name, options in kinds.items():
        explainer = xaibench.Explainer(setting.model, compiled=True, **options)
        explainer(images, TARGET, ["occlusion"])  # compiles
        yield Contest(
            f"Score-CAM, {name}", ">= 6x the peer's best batch" if options else "where it pays", 1,
            lambda explainer=explainer: explainer(images, TARGET, [spec])[spec],
            {"xaibench, not compiled": lambda: setting.explainer(images, TARGET, [spec])[spec]},
            passes=0 if options else _channels(setting), rounds=1, difference=largest,
        )  # fmt: skip


def _channels(setting: Setting) -> int:
    seen: list[Tensor] = []
    hook = setting.layer.register_forward_hook(lambda _, __, output: seen.append(output))
    with torch.no_grad():
        setting.model(setting.images[:1])
    hook.remove()
    return int(seen[0][0].flatten(1).any(dim=1).sum())


def _torchcam(setting: Setting, images: Tensor) -> np.ndarray:
    from torchcam.methods import ScoreCAM as TorchcamScoreCAM

    with TorchcamScoreCAM(setting.model, setting.model.cam_layer) as cam:
        with torch.no_grad():
            setting.model(images)
        return cam(TARGET)[0].numpy()


def integrated(setting: Setting) -> Iterator[Contest]:
    """Integrated gradients, 50 steps."""
    images = setting.images[:2]
    captum = IntegratedGradients(setting.model)

    def theirs(size: int | None) -> Callable[[], np.ndarray]:
        return lambda: captum.attribute(
            images, target=TARGET, n_steps=50, internal_batch_size=size
        ).sum(dim=1).abs().detach().numpy()  # fmt: skip

    yield Contest(
        "Integrated Gradients, 50 steps", ">= 1.4x captum's best setting, >= 4x its default",
        len(images),
        lambda: setting.explainer(images, TARGET, ["integrated_gradients"])["integrated_gradients"],
        {"captum, default": theirs(None), **{f"captum, batch {size}": theirs(size)
         for size in (4, 8, 16)}},
        passes=100, rounds=min(setting.rounds, 3), difference=largest,
    )  # fmt: skip


# The short ones first: the table is written after each, and the last four take most of the time.
WORKS: dict[str, Callable[[Setting], Iterator[Contest]]] = {
    "cams": cams,
    "gradcam": gradcam,
    "confidence": confidence,
    "road": road,
    "localization": localization,
    "fullgrad": fullgrad,
    "integrated": integrated,
    "ablation": ablation,
    "compiled": compiled,
    "scorecam": scorecam,
    "whole": whole,
    "attention": attention,
    "named": named,
}
