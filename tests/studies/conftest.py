"""Tiny networks that fail when the environment asks for it, and one finished study."""

import shutil

import pytest
from plugin_files import forget_plugin_files

from xaibench.studies.run import plan_study, run_study

# What the environment asks for changes no fingerprint, as a full disk or a killed process.
PLUGINS = '''
"""A classifier of any width, and a saliency-aware network with all options of the study."""

import os
from typing import Literal

from torch import nn

import xaibench
from xaibench.core.errors import XaibenchError


@xaibench.model()
def mini(classes: int, weights: str, *, filters: str = "4-6") -> xaibench.Classifier:
    """Build two convolutions."""
    first, second = map(int, filters.split("-"))
    layers = [nn.Conv2d(3, first, 3, stride=2), nn.ReLU(), nn.Conv2d(first, second, 3, stride=2),
              nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(second, classes)]
    return xaibench.Classifier(nn.Sequential(*layers), cam_layer="3")


class Aware(xaibench.Model):
    def __init__(self, classes, power, upsampling, blocks):
        super().__init__(cam_layer="trunk")
        self.trunk = nn.Sequential(nn.Conv2d(3, 5, 3, stride=4, padding=1), nn.ReLU())
        self.head, self.mask_head = nn.Linear(5, classes), nn.Conv2d(5, 1, 1)
        self.grow = nn.Upsample(scale_factor=blocks, mode=upsampling)
        self.power = power

    @property
    def abilities(self):
        return super().abilities | {"saliency"}

    def outputs(self, images, *, saliency=False):
        activations = self.trunk(self.normalize(images))
        predicted = self.mask_head(self.grow(activations)).sigmoid()[:, 0] if saliency else None
        return xaibench.Outputs(self.head(activations.mean(dim=(2, 3))), predicted)

    def loss(self, batch):
        fault = os.environ.get("FAULT", "") if batch.masked.all() else ""
        if fault == "stop":
            raise KeyboardInterrupt
        if fault == "fail":
            raise XaibenchError("out of luck")
        outputs = self.outputs(batch.images, saliency=True)
        size = tuple(batch.masks.shape[1:])
        predicted = nn.functional.interpolate(outputs.saliency[:, None], size)[:, 0]
        off = (predicted - (batch.masks > 0).float()).abs() ** self.power
        localization = (off.mean(dim=(1, 2)) * batch.masked).sum() / batch.masks_counted
        loss = nn.functional.cross_entropy(outputs.logits, batch.labels) + localization
        return {"loss": loss}


@xaibench.model()
def aware(
    classes: int, weights: str, *, loss: Literal["l1", "l2", "bce"] = "l2",
    upsampling: Literal["nearest", "bilinear", "bicubic"] = "nearest", blocks: int = 5,
) -> Aware:
    """Build two heads on one convolution."""
    return Aware(classes, 1 if loss == "l1" else 2, upsampling, blocks)
'''


@pytest.fixture(autouse=True, scope="module")
def _registry_left_without_plugin_files():
    yield
    forget_plugin_files()


@pytest.fixture(scope="session")
def given(tmp_path_factory):
    """Run options that all studies share."""
    plugin = tmp_path_factory.mktemp("plugins") / "mini_plugins.py"
    plugin.write_text(PLUGINS, "utf-8")
    return {
        "dataset": "phantom[images=60]", "plugin": (str(plugin),), "models": ("mini", "aware"),
        "metrics": ("iou",), "epochs": 2, "image_size": 32, "weights": "none", "device": "cpu",
        "learning_rate": 0.02, "seeds": (0, 1),
    }  # fmt: skip


@pytest.fixture(scope="session")
def finished(given, tmp_path_factory):
    """A whole study of mask fractions. Read only."""
    out = tmp_path_factory.mktemp("study") / "out"
    run_study(plan_study("mask-fraction", ("0", "1"), {**given, "out": str(out)}), "a test")
    return out


@pytest.fixture
def copy(finished, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(finished, tmp_path / "copy")


@pytest.fixture
def arguments(given):
    """The same options for the command line."""

    def line(**changed):
        for name, value in {**given, **changed}.items():
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            yield from (f"--{name.replace('_', '-')}", text)

    return lambda **changed: list(line(**changed))
