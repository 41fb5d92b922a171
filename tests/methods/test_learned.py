import pytest
import torch

from xaibench.core.maps import finish
from xaibench.core.registry import bind
from xaibench.methods.residual import residual
from xaibench.methods.segmentation import segmentation

# One row of three pixels in two images: background, then two classes.
MAPS = torch.tensor([
    [[[0.7, 0.2, 0.1]], [[0.1, 0.5, 0.6]], [[0.2, 0.3, 0.3]]],
    [[[0.0, 0.9, 0.5]], [[0.4, 0.1, 0.2]], [[0.6, 0.0, 0.3]]],
])  # fmt: skip


def test_segmentation_is_all_but_the_background_or_the_target_alone():
    targets = torch.tensor([1, 0])
    foreground = torch.tensor([[[0.3, 0.8, 0.9]], [[1.0, 0.1, 0.5]]])
    torch.testing.assert_close(segmentation(MAPS, targets), foreground)
    chosen = torch.tensor([[[0.2, 0.3, 0.3]], [[0.4, 0.1, 0.2]]])
    torch.testing.assert_close(segmentation(MAPS, targets, of="target"), chosen)


def test_probabilities_are_scored_as_they_are():
    traits = bind("method", "segmentation").plugin.traits
    raw = segmentation(MAPS, torch.tensor([1, 0]))
    finished, _ = finish(raw, (1, 3), sign=traits.sign, rescale=traits.rescale)
    torch.testing.assert_close(finished, raw)


def test_residual_is_the_mean_absolute_difference_over_channels():
    images = torch.tensor([[[[0.0, 1.0]], [[0.5, 0.5]], [[1.0, 0.2]]]])
    drawn = torch.tensor([[[[0.3, 1.0]], [[0.2, 0.5]], [[1.0, 0.8]]]])
    torch.testing.assert_close(residual(images, drawn), torch.tensor([[[0.2, 0.2]]]))


@pytest.mark.parametrize(("method", "family"), [("segmentation", "learned"), ("residual", "other")])
def test_only_what_learned_from_masks_counts_as_learned(method, family):
    assert bind("method", method).plugin.traits.family == family
