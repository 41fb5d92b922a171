import pytest
import torch
from torch import nn

from xaibench.core.errors import XaibenchError
from xaibench.core.networks.dilation import keep_resolution
from xaibench.core.networks.trunk_classifier import build_trunk


@pytest.mark.slow
@pytest.mark.parametrize(("name", "first"), [("resnet18", 0), ("timm/tf_efficientnet_lite0", 1)])
def test_every_second_position_is_what_it_was(name, first):
    # TensorFlow's networks pad at the end of an even side, and on both sides where no step is made.
    torch.manual_seed(0)
    trunk, images = build_trunk(name, 2, "none")[0].eval(), torch.rand(1, 3, 96, 128)
    with torch.no_grad():
        before = trunk(images)
        after = keep_resolution(trunk, 16)(images)
    assert after.shape == (*before.shape[:2], 6, 8)
    torch.testing.assert_close(after[:, :, first::2, first::2], before, rtol=1e-3, atol=1e-4)


def test_what_is_fine_enough_stays_and_what_cannot_be_kept_is_refused():
    trunk = build_trunk("squeezenet1_1", 2, "none")[0].eval()
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(trunk(images), keep_resolution(trunk, 16)(images))
    steep = nn.Sequential(*(nn.Conv2d(3, 3, 8, stride=8) for _ in range(2)))
    with pytest.raises(XaibenchError, match="can't be kept at a stride of 16; take stride=32"):
        keep_resolution(steep, 16)
