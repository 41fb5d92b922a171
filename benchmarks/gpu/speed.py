"""How long an image takes, and which share of the device's own limit that is."""

import torch
from setting import Setting, Table, seconds, within
from torch.utils.flop_counter import FlopCounterMode

import xaibench
from xaibench.core.errors import XaibenchError
from xaibench.core.passes.engine import Engine

_SECONDS = 90.0
_PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def methods(setting: Setting) -> Table:
    """Return each method's time an image in float32, and passes as a share of the limit."""
    model, images = setting.model(), setting.pixels.to(setting.device)
    limit, flops = _limit(setting, torch.float32), _flops(setting)
    engine, has_time = Engine(model), within(_SECONDS)
    forward = seconds(lambda: engine.logits(images), setting.device) / len(images)
    rows: list[list[object]] = [
        ["(a forward pass)", f"{1000 * forward:.3g}", f"{flops / forward / limit:.2f}"]
    ]
    explainer = xaibench.Explainer(model)
    for method in setting.methods:
        if not has_time():
            rows.append([method, "not run: no time was left", ""])
            continue
        try:
            spent = seconds(lambda name=method: explainer(images, 0, name), setting.device, 1)
        except XaibenchError as error:
            rows.append([method, str(error), ""])
        else:
            rows.append([method, f"{1000 * spent / len(images):.3g}", ""])
    return ["method", "ms/image", "of the limit"], rows


def scorecam(setting: Setting) -> Table:
    """Return Score-CAM's time an image in both precisions, beside what its passes would take."""
    images, flops, rows = setting.pixels[:2].to(setting.device), _flops(setting), []
    for precision, dtype in _PRECISIONS.items():
        explainer = xaibench.Explainer(setting.model(), precision=precision)
        spent = seconds(lambda by=explainer: by(images, 0, "scorecam"), setting.device, 1) / 2
        ideal = _channels(setting) * flops / _limit(setting, dtype)
        rows.append([precision, f"{spent:.3f}", f"{ideal / spent:.2f}"])
    return ["precision", "s/image", "of the limit"], rows


def _channels(setting: Setting) -> int:
    seen: list[int] = []
    model, images = setting.model(), setting.pixels[:1].to(setting.device)
    layer = dict(model.named_modules())[model.cam_layer or ""]
    hook = layer.register_forward_hook(lambda *given: seen.append(given[2].shape[1]))
    with torch.inference_mode():
        model(images)
    hook.remove()
    return seen[0]


def _flops(setting: Setting) -> float:
    """Return the operations of one forward pass of one image."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        setting.model()(setting.pixels[:1].to(setting.device))
    return float(counter.get_total_flops())


def _limit(setting: Setting, dtype: torch.dtype) -> float:
    """Return the operations a second of a large matrix product, in this run."""
    side = 256 if setting.few else 8192 if setting.device.type == "cuda" else 1024
    left, right = (torch.rand(side, side, device=setting.device).to(dtype) for _ in range(2))
    return 2 * side**3 / seconds(lambda: left @ right, setting.device)
