import torch
from torch import nn
from torch.nn import functional

from xaibench.core.networks.pyramid import Pyramid, SkipDecoder

SIZES = [(20, 28), (10, 14), (5, 7)]


def levels():
    generator = torch.Generator().manual_seed(0)
    return [
        torch.rand(2, width, *size, generator=generator)
        for width, size in zip((3, 4, 5), SIZES, strict=True)
    ]


def test_each_level_is_joined_with_what_comes_from_below_enlarged():
    decoder = SkipDecoder([3, 4, 5], 2).eval()
    fine, middle, coarse = levels()
    enlarged = functional.interpolate(coarse, (10, 14), mode="bilinear", align_corners=False)
    joined = decoder.blocks[0](torch.cat([enlarged, middle], 1))
    assert joined.shape == (2, 96, 10, 14)
    enlarged = functional.interpolate(joined, (20, 28), mode="bilinear", align_corners=False)
    joined = decoder.blocks[1](torch.cat([enlarged, fine], 1))
    assert joined.shape == (2, 48, 20, 28)
    torch.testing.assert_close(decoder([fine, middle, coarse]), decoder.last(joined))


def test_every_level_reaches_the_map_and_a_single_one_is_enough():
    found = [level.requires_grad_() for level in levels()]
    decoder = SkipDecoder([3, 4, 5], 1)
    decoder(found).square().sum().backward()
    assert all(level.grad.abs().sum() > 0 for level in found)
    assert SkipDecoder([4], 3)([found[1]]).shape == (2, 3, 10, 14)


def test_the_last_level_is_what_the_whole_gives():
    trunk = Pyramid(nn.Conv2d(3, 4, 3, stride=2), nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)))
    images = levels()[0]
    found = trunk.levels(images)
    assert [each.shape[1:] for each in found] == [(4, 9, 13), (4, 4, 6)]
    assert torch.equal(found[-1], trunk(images))
