"""Full gradients: the parts of the input and of all biases add up to the logit."""

import pytest
import torch
from nets import build, pictures, question
from torch import nn
from torch.nn import functional

from xaibench.core.errors import XaibenchError
from xaibench.core.passes.biases import sum_over_biases

IMAGES, TARGETS = pictures(3, seed=1)[:, :, :24, :40], torch.tensor([2, 0, 3])


class Between(nn.Module):
    """Something between a convolution without a bias and a pooled head without one."""

    def __init__(self, middle):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.Linear(8, 4, bias=False)
        self.part, self.act = middle
        for parameter in self.part.parameters():
            nn.init.normal_(parameter, std=0.5)

    def forward(self, images):
        return self.last(self.act(self.part, self.first(images)).mean(dim=(2, 3)))


def on_channels_last(layer, values):
    return layer(values.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).relu()


class Shift(nn.Module):
    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(8, 1, 1))

    def forward(self, values):
        return values + self.shift


def plainly(layer, values):
    return layer(values).relu()


MIDDLES = {
    "convolution": (nn.Conv2d(8, 8, 3), plainly),
    "transposed": (nn.ConvTranspose2d(8, 8, 2, 2), plainly),
    "batch norm": (nn.BatchNorm2d(8), plainly),
    "group norm": (nn.GroupNorm(2, 8), plainly),
    "layer norm": (nn.LayerNorm(8), on_channels_last),
    "linear": (nn.Linear(8, 8), on_channels_last),
    "parameter": (Shift(), plainly),
    "hard swish": (nn.Conv2d(8, 8, 3), lambda layer, v: functional.hardswish(layer(v))),
    "scale in numbers": (nn.Conv2d(8, 8, 1), lambda layer, v: functional.elu(layer(v).div(7))),
    "gate": (nn.Conv2d(8, 8, 1), lambda layer, v: v * layer(v.mean((2, 3), True)).sigmoid()),
}


def parts_of(network, images=IMAGES):
    told = []
    engine = question(network, images=images).tape.engine

    def term(gradient, bias):
        bias = bias[:, None, None] if bias.ndim == 1 else bias
        return (gradient * bias).sum(dim=(1, 2, 3))[:, None, None]

    found = sum_over_biases(engine, images, TARGETS, term, lambda *each: told.append(each))
    return found, told[0]


@pytest.mark.parametrize("middle", MIDDLES)
def test_they_add_up_whatever_has_a_bias(middle):
    network = Between(MIDDLES[middle]).double().eval()
    (gradients, biases), (parts, owed) = parts_of(network)
    logits = network(IMAGES).gather(1, TARGETS[:, None])[:, 0]
    inputs = (IMAGES * gradients).sum(dim=(1, 2, 3))
    torch.testing.assert_close(owed, logits)
    torch.testing.assert_close(parts.sum(dim=1), logits)
    assert ((inputs - logits).abs() > 1e-3).any()
    if middle != "gate":  # whose own bias, behind a pooling, lies nowhere
        torch.testing.assert_close(inputs + biases[:, 0, 0], logits)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["resnet18", "small", "mobilenet_v3_small"])
def test_they_add_up_in_whole_networks(kind):
    network = build(kind)
    images = pictures(3, seed=2)
    _, (parts, owed) = parts_of(network, images)
    logits = network(images).gather(1, TARGETS[:, None])[:, 0]
    torch.testing.assert_close(parts.sum(dim=1), logits)
    torch.testing.assert_close(owed, logits)


def test_a_bias_that_lies_nowhere_known_is_refused():
    tokens = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    middle = (tokens, lambda layer, v: layer(v.flatten(2).mT).mT.reshape(v.shape))
    with pytest.raises(XaibenchError, match="can't tell where in the image"):
        parts_of(Between(middle).double().eval())


MOVES = {
    "mirrored": lambda v: v.flip(3),
    "rolled": lambda v: v.roll(5, 3),
    "transposed": lambda v: v.mT,
    "in another order": lambda v: v[..., torch.arange(v.shape[3] - 1, -1, -1)],
    "cropped": lambda v: v[:, :, 4:],
}


@pytest.mark.parametrize("how", MOVES)
def test_biases_of_positions_that_have_moved_are_refused(how):
    middle = (nn.GroupNorm(2, 8), lambda layer, values: layer(MOVES[how](values)))
    with pytest.raises(XaibenchError, match="can't tell where in the image"):
        parts_of(Between(middle).double().eval())


def test_channels_stand_last_only_where_rows_and_columns_keep_their_order():
    middle = (nn.LayerNorm(8), lambda layer, v: layer(v.transpose(1, 3)).transpose(1, 3))
    with pytest.raises(XaibenchError, match="can't tell where in the image"):
        parts_of(Between(middle).double().eval())


def test_positions_that_are_left_out_evenly_and_channels_in_another_order_are_followed():
    middle = (nn.GroupNorm(2, 8), lambda layer, v: layer(v.flip(1)[:, :, ::2, ::2]))
    _, (parts, owed) = parts_of(Between(middle).double().eval())
    torch.testing.assert_close(parts.sum(dim=1), owed)
