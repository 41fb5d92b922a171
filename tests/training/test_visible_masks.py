"""No model is handed a mask that it may not see."""

import torch
from torch import nn

from xaibench.core.batch import Batch
from xaibench.core.data import IGNORED
from xaibench.core.model import Classifier
from xaibench.setup.options import make_options
from xaibench.setup.selection import Selection
from xaibench.training.supervision import learned_from, visible
from xaibench.training.train import Trainer


class Named:
    def __init__(self, name):
        self.id = name


def test_hidden_masks_are_empty_and_boxes_surround_each_region():
    masks = torch.zeros(3, 8, 11, dtype=torch.int8)
    masks[:, 1, 2:5] = 1
    masks[:, 2:4, 4] = 2
    masks[:, 6, 8:10] = 1
    masks[:, 7, 0] = IGNORED
    samples = [Named("a"), Named("b"), Named("c")]
    seen = frozenset({"a", "c"})
    plain = visible(masks, samples, seen, boxes_only=False)
    assert torch.equal(plain[0], masks[0])
    assert not plain[1].any()
    boxed = visible(masks, samples, seen, boxes_only=True)
    expected = masks[0].clone()
    expected[1:4, 2:5] = expected[1:4, 2:5].clamp(min=1)
    assert torch.equal(boxed[0], expected)
    assert torch.equal(boxed[2], expected)
    assert not boxed[1].any()
    assert (masks[1] > 0).any()  # the loader's own stay whole


class Greedy(Classifier):
    """Reads every mask, whether it may or not."""

    def __init__(self, *, boxes_only=False):
        layers = nn.Sequential(
            nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2)
        )
        super().__init__(layers, cam_layer="0")
        self.boxes_only, self.found = boxes_only, []

    def loss(self, batch: Batch):
        self.found += [
            (bool(seen), bool((mask > 0).any()))
            for seen, mask in zip(batch.masked, batch.masks, strict=True)
        ]
        return super().loss(batch)


def test_a_model_that_reads_every_mask_finds_those_of_the_budget_alone(tmp_path):
    given = {"dataset": "phantom[images=60]", "image_size": 32, "mask_fraction": 0.5,
             "augmentation": "none", "out": str(tmp_path)}  # fmt: skip
    selection = Selection(make_options(given, {}))
    for boxes_only, kind in ((False, "masks"), (True, "boxes")):
        model, split = Greedy(boxes_only=boxes_only), selection.split(0)
        trainer = Trainer(model, selection.loader, split, selection.options, seed=0,
                          device=torch.device("cpu"))  # fmt: skip
        trainer._epoch(0)
        assert set(model.found) == {(True, True), (False, False)}
        assert learned_from(model, split, {"labels", "masks"}, 0.5).kind == kind
