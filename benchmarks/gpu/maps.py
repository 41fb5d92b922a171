"""Whether a GPU gives the maps of the CPU, and the same ones twice."""

import tempfile
from pathlib import Path

import torch
from setting import Setting, Table, within
from torch import Tensor

import xaibench
from xaibench.core.errors import XaibenchError

_CPU = torch.device("cpu")
_IMAGES, _SECONDS = 2, 100.0  # the CPU's share is what takes long
_TRAINING = {
    "dataset": "phantom[images=60]", "models": ("small_resnet",), "methods": ("gradcam",),
    "metrics": ("iou",), "controls": False, "weights": "none", "image_size": 64, "epochs": 3,
}  # fmt: skip
_LONG = frozenset({"extremal_perturbation", "kernel_shap", "rise", "opticam", "xrai"})


def parity(setting: Setting) -> Table:
    """Return the largest difference of finished maps from the CPU's, by method."""
    rows, has_time = [], within(_SECONDS)
    here, there = (xaibench.Explainer(setting.model(d)) for d in (_CPU, setting.device))
    for method in setting.methods:
        if method in _LONG or not has_time():
            rows.append([method, "not run: takes long on the CPU"])
            continue
        try:
            pair = [_explained(each, setting, method) for each in (here, there)]
        except XaibenchError as error:
            rows.append([method, str(error)])
        else:
            rows.append([method, _apart(*pair)])
    return ["method", "largest difference from the CPU"], rows


def determinism(setting: Setting) -> Table:
    """Return the largest difference of maps that are made twice, by method."""
    rows, has_time = [], within(_SECONDS)
    explainer = xaibench.Explainer(setting.model())
    for method in setting.methods:
        if not has_time():
            rows.append([method, "not run: no time was left"])
            continue
        try:
            one, two = (_explained(explainer, setting, method) for _ in range(2))
        except XaibenchError as error:
            rows.append([method, str(error)])
        else:
            rows.append([method, _apart(one, two)])
    trained = [_weights(setting, name) for name in ("one", "two")]
    rows.append(["(weights of a network trained twice)", _apart(*trained)])
    return ["method", "the second time"], rows


def _apart(one: Tensor, other: Tensor) -> str:
    return f"{(one - other).abs().max():.2g}"


def _weights(setting: Setting, name: str) -> Tensor:
    """Return all weights of a small network that is trained in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, name)
        xaibench.run(**_TRAINING, device=str(setting.device.type), out=str(out))
        (path,) = out.glob("models/**/model.pt")
        stored = torch.load(path, map_location="cpu", weights_only=True)
    return torch.cat([tensor.float().flatten() for tensor in stored.values()])


def _explained(explainer: xaibench.Explainer, setting: Setting, method: str) -> Tensor:
    device = next(explainer.model.parameters()).device
    return explainer(setting.pixels[:_IMAGES].to(device), 0, method)[method].cpu()
