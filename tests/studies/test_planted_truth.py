"""The supervision frontier of networks that were trained on phantoms, whose truth is known."""

import pandas as pd
import pytest

from xaibench.studies.run import plan_study, run_study

PLUGINS = '''
"""A network of three convolutions, with and without a map of its own."""

from torch import nn

import xaibench


def block(before, after):
    conv = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU())


class Drawing(xaibench.Model):
    def __init__(self, classes, *, draws):
        super().__init__(cam_layer="trunk", supervision=None if draws else "labels")
        self.trunk = nn.Sequential(block(3, 8), block(8, 16), block(16, 24))
        self.head, self.mask_head, self.draws = nn.Linear(24, classes), nn.Conv2d(24, 1, 1), draws

    @property
    def abilities(self):
        return super().abilities | ({"saliency"} if self.draws else set())

    def outputs(self, images, *, saliency=False):
        activations = self.trunk(self.normalize(images))
        found = self.mask_head(activations).sigmoid()[:, 0] if self.draws else None
        return xaibench.Outputs(self.head(activations.mean(dim=(2, 3))), found)

    def loss(self, batch):
        outputs = self.outputs(batch.images)
        loss = nn.functional.cross_entropy(outputs.logits, batch.labels)
        if self.draws and batch.masked.any():
            size = outputs.saliency.shape[1:]
            truth = nn.functional.adaptive_avg_pool2d((batch.masks > 0).float()[:, None], size)
            seen = batch.masked
            each = nn.functional.binary_cross_entropy(outputs.saliency[seen], truth[seen, 0])
            loss = loss + each
        return {"loss": loss}


@xaibench.model()
def silent(classes: int, weights: str) -> Drawing:
    """Build a classifier."""
    return Drawing(classes, draws=False)


@xaibench.model()
def drawing(classes: int, weights: str) -> Drawing:
    """Build a classifier that draws a map."""
    return Drawing(classes, draws=True)
'''


@pytest.fixture(scope="module")
def best(tmp_path_factory):
    """Run the study, and return the IoU of the learned map and that of the best post-hoc one."""
    folder = tmp_path_factory.mktemp("planted")
    plugin = folder / "planted_networks.py"
    plugin.write_text(PLUGINS, "utf-8")

    def study(name, dataset, split="holdout"):
        given = {
            "plugin": (str(plugin),), "models": ("silent", "drawing"),
            "methods": ("gradcam", "spn"), "metrics": ("iou",), "epochs": 25, "image_size": 64,
            "weights": "none", "device": "cpu", "learning_rate": 0.01, "seeds": (0,),
            "dependence": False, "dataset": dataset, "split": split, "out": str(folder / name),
        }  # fmt: skip
        out = run_study(plan_study("supervision", ("1",), given), "a test").out
        rows = pd.read_csv(out / "frontier.csv").set_index(["level", "method"])["value"]
        return rows[1.0, "spn"], rows.xs(0.0).max()

    return study


@pytest.mark.slow
def test_masks_that_mislead_teach_a_map_that_is_worse_than_marking_everything(best):
    misled, _ = best("misled", "phantom[images=60,mask=misleading]", "official")
    everything = 0.1  # a lesion's share of the picture
    assert misled < everything


@pytest.mark.slow
def test_a_network_that_uses_a_shortcut_is_overtaken_by_its_own_map_from_right_masks(best):
    told, shortcut = best("shortcut", "phantom[images=60,shortcut=1]")
    assert told > 2 * shortcut
