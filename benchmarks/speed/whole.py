"""The whole: twelve methods and eight metrics, against a straightforward script over the peers."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from captum.attr import InputXGradient, IntegratedGradients, Saliency
from contest import Contest, Setting
from pytorch_grad_cam import (
    AblationCAM,
    EigenCAM,
    EigenGradCAM,
    FullGrad,
    GradCAM,
    GradCAMPlusPlus,
    HiResCAM,
    LayerCAM,
    XGradCAM,
)  # fmt: skip
from pytorch_grad_cam.metrics.cam_mult_image import DropInConfidence, IncreaseInConfidence
from pytorch_grad_cam.utils.model_targets import (
    ClassifierOutputSoftmaxTarget,
    ClassifierOutputTarget,
)  # fmt: skip
from scoring import TARGET, score

METHODS = [
    "gradcam", "gradcam_pp", "hirescam", "xgradcam", "layercam", "eigencam", "eigengradcam",
    "ablationcam", "fullgrad", "gradient", "input_x_gradient", "integrated_gradients",
]  # fmt: skip
METRICS = [
    "iou", "iou_area", "hit_rate", "mass_in_mask", "drop_in_confidence", "increase_in_confidence",
    "drop_in_confidence[covered=important]", "increase_in_confidence[covered=important]",
]  # fmt: skip
_CAMS = (GradCAM, GradCAMPlusPlus, HiResCAM, XGradCAM, LayerCAM, EigenCAM, EigenGradCAM,
         AblationCAM, FullGrad)  # fmt: skip


def whole(setting: Setting) -> Iterator[Contest]:
    """All of it, and what of our time the network's own passes take."""
    few = slice(4)  # the peers' Ablation-CAM takes minutes an image
    setting = replace(setting, images=setting.images[few], masks=setting.masks[few])
    setting.explainer(setting.images[:1], TARGET, METHODS)  # heads and layers are found
    yield WholeContest(
        "12 methods x 8 metrics", ">= 10x, overhead beyond the passes < 15 %",
        len(setting.images), lambda: _share_of_passes(setting, lambda: _ours(setting)),
        {"script over grad-cam and captum": lambda: _theirs(setting)}, rounds=1,
    )  # fmt: skip


class WholeContest(Contest):
    """Tells beside the goal which share of our time was not the network's."""

    def run(self, setting: Setting) -> list[dict[str, Any]]:
        """Run, and add the overhead."""
        shares: list[float] = []
        work = self.ours
        self.ours = lambda: shares.append(work())
        return [
            row | {"goal": f"{row['goal']}: {1 - shares[-1]:.1%}"} for row in super().run(setting)
        ]


def _ours(setting: Setting) -> None:
    maps = setting.explainer(setting.images, TARGET, METHODS)
    score(setting, list(maps.values()), METRICS)


def _share_of_passes(setting: Setting, work: Callable[[], None]) -> float:
    """Return which share of the time networks and autograd take."""
    spent = 0.0
    depth = 0

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal spent, depth
            depth += 1
            started = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                depth -= 1
                if not depth:
                    spent += time.perf_counter() - started

        return call

    kind = type(setting.model)
    before = kind.outputs, torch.autograd.grad
    kind.outputs, torch.autograd.grad = timed(kind.outputs), timed(torch.autograd.grad)
    started = time.perf_counter()
    try:
        work()
    finally:
        kind.outputs, torch.autograd.grad = before
    return spent / (time.perf_counter() - started)


def _theirs(setting: Setting) -> None:
    model, images, masks = setting.model, setting.images, setting.masks.numpy() > 0
    count = len(images)
    found: list[np.ndarray] = []
    for kind in _CAMS:
        with kind(model, [setting.layer]) as cam:
            found.append(cam(images, [ClassifierOutputTarget(TARGET)] * count))
    for kind in (Saliency, InputXGradient, IntegratedGradients):
        # Without it 50 copies of all images would need a computer of their own.
        options = {"internal_batch_size": 8} if kind is IntegratedGradients else {}
        leaves = images.clone().requires_grad_()
        attributions = kind(model).attribute(leaves, target=TARGET, **options)
        maps = attributions.sum(dim=1).abs().detach().numpy()
        lowest = maps.min(axis=(1, 2), keepdims=True)
        found.append((maps - lowest) / (np.ptp(maps, axis=(1, 2), keepdims=True) + 1e-12))
    softmax = [ClassifierOutputSoftmaxTarget(TARGET)] * count
    for maps in found:
        for cam in (maps, 1 - maps):
            DropInConfidence()(images, cam, softmax, model)
            IncreaseInConfidence()(images, cam, softmax, model)
        for saliency, mask in zip(maps, masks, strict=True):
            _localize(saliency, mask)


def _localize(saliency: np.ndarray, mask: np.ndarray) -> tuple[float, ...]:
    """Score one map in numpy, as a script would."""
    marked = saliency >= 0.5 * saliency.max()
    iou = (marked & mask).sum() / (marked | mask).sum()
    top = np.zeros(mask.size, bool)
    top[np.argsort(-saliency.ravel())[: mask.sum()]] = True
    area = (top & mask.ravel()).sum() / (top | mask.ravel()).sum()
    hit = mask.ravel()[saliency.argmax()]
    return float(iou), float(area), float(hit), float((saliency * mask).sum() / saliency.sum())
