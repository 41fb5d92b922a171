import pytest
import torch
from torch.nn import functional

from xaibench.core.errors import XaibenchError
from xaibench.core.networks.mask_heads import Attention, DeepAttention, Rasaee, SaliencyDecoder

STRIDE, CHANNELS = 32, 64
SIZES = [(224, 224), (160, 160), (64, 160)]


def activations(size, channels=CHANNELS, count=2):
    height, width = (side // STRIDE for side in size)
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, channels, height, width, generator=generator)


def check(maps, size):
    assert maps.shape == (2, *size)
    assert maps.min() >= 0
    assert maps.max() <= 1
    assert maps.flatten(1).std(dim=1).min() > 0


def hook_shapes(modules):
    shapes = []
    for module in modules:
        module.register_forward_hook(lambda _, __, output: shapes.append(tuple(output.shape[1:])))
    return shapes


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("upsampling", ["bilinear", "nearest", "transposed", "shuffle"])
def test_spn_decodes_to_the_size_of_the_image(size, upsampling):
    check(SaliencyDecoder(CHANNELS, 5, upsampling)(activations(size)), size)


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_each_block_of_the_spn_doubles_the_size(blocks):
    maps = SaliencyDecoder(CHANNELS, blocks, "bilinear")(activations((64, 160)))
    check(maps, (2 * 2**blocks, 5 * 2**blocks))


def test_spn_halves_the_channels_from_256_down_to_16():
    head = SaliencyDecoder(2048, 5, "bilinear")
    widths = [part.num_features for part in head if hasattr(part, "num_features")]
    assert widths == [256, 128, 64, 32, 16]


@pytest.mark.parametrize("size", SIZES)
def test_attention_is_a_sigmoid_of_the_scaled_channel_mean(size):
    head = Attention()
    with torch.no_grad():
        head.conv.weight.fill_(-3)
        head.conv.bias.fill_(0.5)
    given = activations(size)
    torch.testing.assert_close(head(given).detach(), torch.sigmoid(0.5 - 3 * given.mean(dim=1)))


@pytest.mark.parametrize("size", SIZES)
def test_attention2_stays_at_the_trunks_resolution(size):
    check(DeepAttention(CHANNELS, 4)(activations(size)), [side // STRIDE for side in size])


def test_attention2_narrows_from_c_to_c_over_8_and_1():
    head = DeepAttention(CHANNELS, 4)
    shapes = [tuple(p.weight.shape[:2]) for p in head if isinstance(p, torch.nn.Conv2d)]
    assert shapes == [(32, 64), (16, 32), (8, 16), (1, 8)]


@pytest.mark.parametrize("blocks", [3, 4])
@pytest.mark.parametrize("size", SIZES)
def test_rasaee_reaches_the_size_of_the_image(size, blocks):
    check(Rasaee(CHANNELS, blocks)(activations(size), size), size)


@pytest.mark.parametrize(
    ("blocks", "shapes"),
    [
        (4, [(512, 16, 16), (128, 48, 48), (16, 144, 144), (1, 224, 224)]),
        (3, [(256, 16, 16), (32, 64, 64), (1, 224, 224)]),
    ],
)
def test_rasaee_has_the_published_sizes_and_widths(blocks, shapes):
    head = Rasaee(2048, blocks)
    seen = hook_shapes(head.norms)
    head(activations((224, 224), 2048), (224, 224))
    assert seen == shapes


def test_rasaee_sizes_scale_with_the_image():
    head = Rasaee(CHANNELS, 4)
    seen = hook_shapes(head.norms)
    head(activations((64, 160)), (64, 160))
    assert [shape[1:] for shape in seen] == [(5, 11), (14, 34), (41, 103), (64, 160)]


def test_a_block_of_rasaee_is_conv_relu6_upsample_norm():
    head = Rasaee(CHANNELS, 3).eval()
    maps = activations((64, 160))
    given = maps
    for conv, norm, size in zip(
        head.convs, head.norms, [(5, 11), (18, 46), (64, 160)], strict=True
    ):
        maps = functional.relu(conv(maps)).clamp(max=6)
        maps = norm(functional.interpolate(maps, size, mode="bilinear", align_corners=False))
    torch.testing.assert_close(head(given, (64, 160)), maps.sigmoid()[:, 0])


@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_rasaee_refuses_other_depths(blocks):
    with pytest.raises(XaibenchError, match=f"3 or 4 blocks, not {blocks}"):
        Rasaee(CHANNELS, blocks)
