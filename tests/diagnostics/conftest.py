"""A tiny network with a saliency head, and one finished run of it."""

import pytest
from plugin_files import forget_plugin_files

from xaibench.running.plan import make_plan
from xaibench.running.run import run_plan
from xaibench.setup.selection import select

# Registered in another order than they run; the CAM layer has no weights of its own.
PLUGINS = '''
"""A pond: two convolutions, a head, and a saliency head beside it."""

import torch
from torch import Tensor, nn

import xaibench


class Pond(xaibench.Model):
    def __init__(self, classes):
        super().__init__(cam_layer="trunk.5")
        self.head = nn.Linear(8, classes)
        self.mask_head = nn.Conv2d(8, 1, 1)
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        )

    @property
    def abilities(self):
        return super().abilities | {"saliency"}

    def outputs(self, images, *, saliency=False):
        activations = self.trunk(self.normalize(images))
        predicted = self.mask_head(activations).sigmoid()[:, 0] if saliency else None
        return xaibench.Outputs(self.head(activations.mean(dim=(2, 3))), predicted)

    def loss(self, batch):
        outputs = self.outputs(batch.images, saliency=True)
        size = tuple(batch.masks.shape[1:])
        predicted = nn.functional.interpolate(outputs.saliency[:, None], size)[:, 0]
        off = ((predicted - (batch.masks > 0).float()) ** 2).mean(dim=(1, 2))
        classification = nn.functional.cross_entropy(
            outputs.logits, batch.labels, reduction="sum"
        ) / batch.images_counted
        return {"loss": classification + (off * batch.masked).sum() / batch.masks_counted}


@xaibench.model()
def pond(classes: int, weights: str) -> Pond:
    """Build the pond."""
    return Pond(classes)


@xaibench.method()
def fragile(images: Tensor, logits: Tensor) -> Tensor:
    """Return the first channel, unless the network is sure of nothing it has learned."""
    if fragile.broken:
        raise ValueError("cracked")
    return images[:, 0]


fragile.broken = False
'''


@pytest.fixture(autouse=True, scope="package")
def _registry_left_without_plugin_files():
    yield
    forget_plugin_files()


@pytest.fixture(scope="package")
def plugin_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugins") / "pond_plugins.py"
    path.write_text(PLUGINS, "utf-8")
    return path


@pytest.fixture(scope="package")
def finished(plugin_file, tmp_path_factory):
    """A run's folder."""
    selection = select({
        "dataset": "phantom[images=120]",
        "plugin": (str(plugin_file),),
        "models": ("pond",),
        "methods": ("gradcam", "gradient", "spn", "fragile"),
        "metrics": ("drop_in_confidence", "iou"),
        "epochs": 4,
        "image_size": 32,
        "weights": "none",
        "device": "cpu",
        "learning_rate": 0.005,
        "out": str(tmp_path_factory.mktemp("finished") / "out"),
    })  # fmt: skip
    return run_plan(selection, make_plan(selection), "a test").out
