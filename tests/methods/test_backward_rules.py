"""DeepLIFT and guided backpropagation on networks that hide, mix or lack what their rules need."""

import copy

import pytest
import torch
from captum import attr
from nets import IMAGES, TARGETS, raw_maps
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from xaibench.core.baselines import baseline_of
from xaibench.core.errors import XaibenchError
from xaibench.core.passes.differences import find_multipliers

PICTURES = IMAGES[:, :, :24, :40].float()


class Between(nn.Module):
    """Something between two convolutions, whose second is followed by a plain ReLU."""

    def __init__(self, middle):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1)
        self.gate, self.tokens = nn.Linear(8, 8), nn.Linear(8, 24)
        self.last, self.middle = nn.Linear(8, 4), middle

    def forward(self, images):
        found = self.second(self.middle(self, self.first(images) * 2)).relu()
        return self.last(found.mean(dim=(2, 3)))


def put_zeros(values):
    values = values.clone()
    values[values < 0] = 0
    return values


def half_in_place(_, values):
    values[:, :4].relu_()
    values[:, 4:] += 1
    return values


def seen_overwritten(_, values):
    return functional.relu6(values, inplace=True) + values[:, :1]


def squeeze_and_excite(net, values):
    return values * net.gate(values.mean(dim=(2, 3)).relu()).sigmoid()[:, :, None, None]


def attend(net, values, how):
    tokens = net.tokens(values.flatten(2).transpose(1, 2)).chunk(3, dim=-1)
    return how(*tokens).transpose(1, 2).reshape(values.shape)


def by_einsum(query, key, value):
    return torch.einsum("bij,bjc->bic", torch.einsum("bic,bjc->bij", query, key).softmax(-1), value)


def response_norm(_, values):
    sizes = values.norm(dim=(2, 3), keepdim=True)
    return values + values * sizes / (sizes.mean(dim=1, keepdim=True) + 1e-6)


class Gate(torch.autograd.Function):
    """A hard gate whose gradient is its own business."""

    @staticmethod
    def forward(_ctx, values):
        return values.clamp(min=0)

    @staticmethod
    def backward(_ctx, gradient):
        return gradient


RELUS = {
    "clamp": lambda _, v: v.clamp(min=0),
    "clamp_min": lambda _, v: v.clamp_min(0),
    "operator": lambda _, v: torch.ops.aten.relu(v),
    "maximum": lambda _, v: torch.maximum(v, torch.zeros_like(v)),
    "threshold": lambda _, v: functional.threshold(v, 0, 0),
    "where": lambda _, v: torch.where(v > 0, v, 0.0),
    "product": lambda _, v: v * (v > 0),
    "product of numbers": lambda _, v: v * (v > 0).float(),
    "masked_fill": lambda _, v: v.masked_fill(v < 0, 0),
    "index": lambda _, v: put_zeros(v),
    "absolute": lambda _, v: (v + v.abs()) / 2,
    "difference": lambda _, v: v - v.clamp(max=0),
    "stack": lambda _, v: torch.stack([v, torch.zeros_like(v)]).amax(dim=0),
    "checkpoint": lambda _, v: checkpoint(torch.relu, v, use_reentrant=False),
}
SEEN = {"clamp", "clamp_min", "operator", "maximum", "threshold", "checkpoint"}
OTHERS = {
    "squeeze and excite": squeeze_and_excite,
    "half in place": half_in_place,
    "seen overwritten": seen_overwritten,
    "overwritten in part": lambda _, v: v + functional.hardswish(v[:, :4], True).sum(1, True),
    "einsum": lambda net, v: attend(net, v, by_einsum),
    "attention": lambda net, v: attend(net, v, functional.scaled_dot_product_attention),
    "response norm": response_norm,
    "layer norm": lambda _, v: functional.layer_norm(v, v.shape[1:]),
    "group norm": lambda _, v: functional.group_norm(v, 2),
    "instance norm": lambda _, v: functional.instance_norm(v),
    "unit length": lambda _, v: functional.normalize(v),
    "hard swish": lambda _, v: v * functional.relu6(v + 3) / 6,
    "softplus": lambda _, v: torch.logaddexp(v, torch.zeros_like(v)),
    "gelu": lambda _, v: functional.gelu(v, approximate="tanh"),
    "maxout": lambda _, v: v.unflatten(1, (4, 2)).amax(dim=2).repeat(1, 2, 1, 1),
    "max pool 1d": lambda _, v: functional.max_pool1d(v.flatten(2), 2)[..., None],
    "max pool, indices": lambda _, v: functional.max_pool2d(v, 2, return_indices=True)[0],
    "adaptive max": lambda _, v: functional.adaptive_max_pool2d(v, 5),
    "lowest": lambda _, v: v - v.amin(dim=1, keepdim=True),
    "logsumexp": lambda _, v: v - v.logsumexp(dim=1, keepdim=True),
    "deviation": lambda _, v: v / (v.std(dim=1, keepdim=True) + 0.1),
    "shuffle": lambda _, v: functional.interpolate(functional.channel_shuffle(v.exp(), 2), (9, 7)),
    "steps": lambda _, v: v.ceil() + v.abs() ** 1.5,
}
# What no rule can follow: what is sorted, or has rules of its own.
UNKNOWN = {
    "order": (lambda _, v: v.sort(dim=1).values, "aten.sort"),
    "own function": (lambda _, v: Gate.apply(v), "autograd function"),
    "other ways": (lambda _, v: v.relu() if v.std() > 0.35 else v, "another way"),
    "read as numbers": (lambda _, v: v * torch.tensor(v.mean((2, 3)).tolist())[..., None, None],
                        "reads values"),
    "read as an array": (lambda _, v: v * torch.from_numpy(v.numpy(force=True).copy()),
                         "reads values"),
    "reentrant": (lambda _, v: checkpoint(torch.relu, v, use_reentrant=True), "reentrant"),
}  # fmt: skip


def missed(network, kind="black"):
    """The share of the logit's change that multipliers miss."""
    start = baseline_of(PICTURES, kind).clone()
    found, change = find_multipliers(network, PICTURES, start, TARGETS)
    with torch.no_grad():
        logits = network(PICTURES) - network(start)
    torch.testing.assert_close(change, logits.gather(1, TARGETS[:, None])[:, 0])
    total = ((PICTURES - start) * found).sum(dim=(1, 2, 3))
    return float(((total - change).abs() / change.abs()).max())


@pytest.mark.parametrize("middle", [*RELUS, *OTHERS])
def test_deeplift_accounts_for_the_whole_change_of_the_logit(middle):
    network = Between((RELUS | OTHERS)[middle]).eval()
    assert missed(network) < 1e-3


@pytest.mark.parametrize("middle", sorted({*RELUS} - {"stack", "absolute", "difference"}))
def test_deeplift_follows_a_relu_by_whatever_name(middle):
    # Made of two functions with kinks it has other multipliers, and is complete all the same.
    expected = raw_maps(Between(lambda _, v: v.relu()), "deeplift[part=signed]", images=PICTURES)
    found = raw_maps(Between(RELUS[middle]), "deeplift[part=signed]", images=PICTURES)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("middle", sorted(SEEN))
def test_guided_backprop_follows_a_relu_by_its_other_names(middle):
    expected = raw_maps(Between(lambda _, v: v.relu()), "guided_backprop", images=PICTURES)
    found = raw_maps(Between(RELUS[middle]), "guided_backprop", images=PICTURES)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("middle", sorted({*RELUS} - SEEN))
def test_guided_backprop_names_what_may_hide_a_relu(middle):
    with pytest.raises(XaibenchError, match=r"no rule for '\w+', behind which a ReLU may hide"):
        raw_maps(Between(RELUS[middle]), "guided_backprop", images=PICTURES)


def test_guided_backprop_takes_a_hard_swish_for_what_it_is():
    one, other = (
        raw_maps(Between(each), "guided_backprop", images=PICTURES)
        for each in (OTHERS["hard swish"], lambda _, v: functional.hardswish(v))
    )
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", UNKNOWN)
def test_deeplift_names_what_it_cannot_follow(name):
    middle, said = UNKNOWN[name]
    with pytest.raises(XaibenchError, match=said):
        raw_maps(Between(middle), "deeplift", images=PICTURES)


@pytest.mark.parametrize(
    ("middle", "said"),
    [
        (lambda _, v: functional.dropout(v, 0.1, training=True), "the same image gives different"),
        (lambda _, v: v * float(v.max()), "other logits alone than beside another"),
    ],
)
@pytest.mark.parametrize("name", ["guided_backprop", "deeplift", "fullgrad"])
def test_chance_and_what_is_read_from_a_whole_batch_are_told(middle, said, name):
    with pytest.raises(XaibenchError, match=said):
        raw_maps(Between(middle), name, images=PICTURES)


@pytest.mark.parametrize("make", [torch.jit.script, lambda net: torch.jit.trace(net, PICTURES)])
@pytest.mark.parametrize("name", ["guided_backprop", "deeplift", "fullgrad"])
def test_scripts_are_refused(make, name):
    plain = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4))
    plain(PICTURES)
    with pytest.raises(XaibenchError, match="TorchScript; pass the network"):
        raw_maps(nn.Sequential(make(plain)), name, images=PICTURES)


@pytest.mark.parametrize("name", ["guided_backprop", "deeplift", "fullgrad"])
@pytest.mark.parametrize("backend", ["eager", pytest.param("aot_eager", marks=pytest.mark.slow)])
def test_compiled_networks_give_the_maps_of_what_was_compiled(name, backend):
    network = Between(squeeze_and_excite)
    compiled = torch.compile(network, backend=backend)
    compiled(PICTURES.clone().requires_grad_())
    ours = raw_maps(compiled, name, images=PICTURES)
    torch.testing.assert_close(ours, raw_maps(network, name, images=PICTURES))


@pytest.mark.parametrize("name", ["deeplift", "gradient", "rise[masks=2]"])
def test_frozen_scripts_are_refused(name):
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    script = torch.jit.freeze(torch.jit.script(plain.eval()))
    with pytest.raises(XaibenchError, match="frozen TorchScript, which keeps"):
        raw_maps(nn.Sequential(script), name, images=PICTURES)


@pytest.mark.parametrize("name", ["guided_backprop", "deeplift", "fullgrad"])
def test_quantized_layers_are_refused(name):
    network = torch.ao.quantization.quantize_dynamic(Between(squeeze_and_excite), {nn.Linear})
    with pytest.raises(XaibenchError, match="'gate' is quantized"):
        raw_maps(network, name, images=PICTURES)


def test_guided_backprop_needs_a_relu():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(XaibenchError, match="has none"):
        raw_maps(network, "guided_backprop", images=PICTURES)


class Pooled(nn.Module):
    """A linear layer, max pooling over its four values, and a linear layer."""

    def forward(self, images):
        return functional.max_pool1d(images.flatten(2), 4)[:, 0]


def test_deeplift_at_a_maximum_equals_captums_numbers():
    images = torch.ones(2, 1, 1, 4)
    starts = torch.tensor([[1.0, 2, 3, 9], [4, 8, 6, 7]])[:, None, None]
    found, change = find_multipliers(Pooled(), images, starts, torch.zeros(2, dtype=torch.long))
    expected = torch.tensor([[0.0, 0, 0, -8], [0, -7, 0, 0]])[:, None, None]
    torch.testing.assert_close((images - starts) * found, expected)
    assert change.tolist() == [-8, -7]


def test_guided_backprop_equals_captums_beside_other_activations():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.SiLU(), nn.Conv2d(8, 8, 3),
        nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    )  # fmt: skip
    theirs = attr.GuidedBackprop(copy.deepcopy(network)).attribute(PICTURES.clone(), TARGETS)
    ours = raw_maps(network, "guided_backprop", images=PICTURES)
    torch.testing.assert_close(ours, theirs.abs().amax(dim=1))


def test_guided_backprop_by_hand():
    # The first layer gives x and 2 - x, the second 0.5 + 2 a - 3 a' + 5 b + b' of neighbors.
    first, second, last = nn.Conv2d(1, 2, 1), nn.Conv2d(2, 1, (1, 2)), nn.Linear(2, 4)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([1.0, -1]).view(2, 1, 1, 1))
        first.bias.copy_(torch.tensor([0.0, 2]))
        second.weight.copy_(torch.tensor([[[[2.0, -3]], [[5, 1]]]]))
        second.bias.fill_(0.5)
        last.weight.copy_(torch.tensor([[-1.0, 4], [0, 0], [1, 2], [0, 0]]))
    network = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Flatten(), last)
    # At its class 2 the first image has a dead unit at the left, whose other one passes 2 back to
    # a = 4, a' = -6 (cut), b dead, b' = 2. At its class 0 the second image's left unit gets -1
    # (cut), and the right one passes 4 back to 8, -12 (cut), 20 and 4.
    images = torch.tensor([[[[1.0, 3, 1]]], [[[4.0, 1, 1]]]])
    expected = torch.tensor([[[0.0, 4, 2]], [[0, 12, 4]]])
    maps = raw_maps(network, "guided_backprop", images=images)
    torch.testing.assert_close(maps, expected)
    with pytest.raises(XaibenchError, match="TorchScript; pass the network"):
        raw_maps(torch.jit.script(network), "guided_backprop", images=images)
