import copy
import logging
import threading

import pytest
import torch
from small_nets import CLASSES, calibrated, far, model_of, noise, wrap
from torch import nn
from torch.nn.utils import parametrizations

from xaibench.core.passes.folding import fold_batch_norms

# In double precision, so that a fold that is nearly right differs by more than rounding.
IMAGES = noise(3, 3, 40, 56, seed=3).double()


def folded(model, images=IMAGES[:1]):
    return fold_batch_norms(model, images)


def identities(model):
    return sum(isinstance(part, nn.Identity) for part in model.modules())


def equal_everywhere(ours, theirs):
    """Compare beside noise on images that are dark, bright and beyond."""
    with torch.no_grad():
        for images in (IMAGES, 0.1 * IMAGES, 1 - 0.1 * IMAGES, 10 * IMAGES - 5):
            assert far(ours(images), theirs(images)) < 1e-9


class Net(nn.Module):
    """Two convolutions and norms before a pooled head; subclasses join them in their ways."""

    def __init__(self, **norm):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6, **norm)
        self.second, self.last = nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.head = nn.Linear(6, CLASSES)

    def middle(self, values):
        return self.norm(values)

    def forward(self, images):
        found = self.middle(self.first(images)).relu()
        return self.head(self.last(self.second(found)).relu().mean(dim=(2, 3)))


class Reused(Net):
    def middle(self, values):
        return self.norm(self.second(self.norm(self.second(values)).relu()))


class Forked(Net):
    def middle(self, values):
        return self.norm(values) + values


class TwoNorms(Net):
    def __init__(self):
        super().__init__()
        self.other = nn.BatchNorm2d(6)
        nn.init.normal_(self.other.weight)

    def middle(self, values):
        return self.norm(values) - self.other(values)


class WrittenInto(Net):
    """On images from 0 to 1 the ReLU in place does nothing: the first layer's outputs are > 0."""

    def __init__(self):
        super().__init__()
        nn.init.uniform_(self.first.weight, 0, 0.1)
        nn.init.constant_(self.first.bias, 0.01)

    def middle(self, values):
        return self.norm(values.relu_())


class TwoNames(Net):
    """The way of many tutorials: parts are attributes, and listed again in a sequence."""

    def __init__(self):
        super().__init__()
        self.steps = nn.Sequential(self.first, self.norm, nn.ReLU(), self.second, self.last)

    def forward(self, images):
        return self.head(self.steps(images).relu().mean(dim=(2, 3)))


class Reads(Net):
    """It looks into its norm beside calling it."""

    def middle(self, values):
        return self.norm(values) * self.norm.weight.abs().mean()


class Locked(Net):
    """It can't be copied."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


class Remembers(Net):
    """It keeps a tensor with a graph, which can't be copied either."""

    def middle(self, values):
        if torch.is_grad_enabled():
            self.seen = values
        return super().middle(values)


class Mixed(nn.Conv2d):
    """Not torch's own convolution: who knows what it does."""

    def forward(self, images):
        return super().forward(images).flip(1)


def made(network, layer=None):
    torch.manual_seed(0)
    return wrap(calibrated(network(), 40, 56), layer).double()


@pytest.mark.parametrize(
    ("kind", "pairs"),
    [("resnet18", 20), ("mobilenet_v3_small", 34), ("squeezenet1_1", 0), ("dense", 2)],
)
def test_exactly_the_norms_behind_convolutions_are_folded(kind, pairs):
    model = model_of(kind).double()
    norms = sum(isinstance(part, nn.BatchNorm2d) for part in model.modules())
    before, ours = identities(model), folded(model)
    assert identities(ours) - before == pairs
    assert sum(isinstance(part, nn.BatchNorm2d) for part in ours.modules()) == norms - pairs
    assert pairs == (norms if kind != "dense" else norms - 2)
    equal_everywhere(ours, model)


@pytest.mark.parametrize(
    ("network", "pairs"),
    [
        (Net, 2),
        (lambda: Net(affine=False), 2),
        (lambda: Net(track_running_stats=False), 1),
        (Reused, 0),  # the last norm, too: its convolution has run before
        (WrittenInto, 1),
        (TwoNames, 2),
        (Forked, 0),  # these are given up altogether
        (TwoNorms, 0),
        (Reads, 0),
        (Locked, 0),
    ],
)
def test_what_is_no_plain_pair_is_left_alone(network, pairs, caplog):
    model = made(network)
    with caplog.at_level(logging.INFO):
        ours = folded(model)
    assert len({part for part in ours.modules() if isinstance(part, nn.Identity)}) == pairs
    equal_everywhere(ours, model)
    given_up = network in (Forked, TwoNorms, Reads, Locked)
    assert (ours is model) == given_up == ("stay as they are" in caplog.text)


def test_a_part_with_two_names_is_replaced_under_both():
    network = folded(made(TwoNames)).network
    assert network.steps[0] is network.first
    assert network.steps[1] is network.norm
    assert isinstance(network.norm, nn.Identity)


def test_a_network_that_keeps_a_graph_is_explained_all_the_same():
    model = made(Remembers)
    model(IMAGES)
    assert model.network.seen.grad_fn is not None
    equal_everywhere(folded(model), model)


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("bias", [True, False])
def test_weights_are_folded_in_whatever_form_the_convolution_has(groups, bias):
    def network():
        return nn.Sequential(
            nn.Conv2d(3, 6, (3, 5), stride=2, dilation=2, groups=groups, bias=bias),
            nn.BatchNorm2d(6, eps=0.1), nn.Flatten(), nn.Linear(6 * 18 * 24, CLASSES),
        )  # fmt: skip

    model = made(network)
    assert identities(folded(model)) == 1
    equal_everywhere(folded(model), model)


def test_a_convolution_of_another_class_is_not_folded():
    def network():
        parts = [Mixed(3, 6, 3), nn.BatchNorm2d(6), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return nn.Sequential(*parts, nn.Linear(6, CLASSES))

    model = made(network)
    assert identities(folded(model)) == 0
    equal_everywhere(folded(model), model)


@pytest.mark.parametrize(
    "normalize", [parametrizations.weight_norm, parametrizations.spectral_norm]
)
def test_a_weight_that_is_made_of_others_is_neither_folded_nor_changed(normalize):
    def network():
        net = Net()
        normalize(net.first)
        return net

    model = made(network)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ours = folded(model)
    assert identities(ours) == 1
    equal_everywhere(ours, model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(("layer", "pairs"), [("first", 0), ("norm", 2), ("second", 0), (None, 2)])
def test_the_cam_layer_keeps_its_meaning(layer, pairs):
    model = made(Net, layer)
    seen = []
    for network in (model, folded(model)):
        part = network.network.get_submodule(layer or "norm")
        part.register_forward_hook(lambda _, __, output: seen.append(output.detach()))
        network(IMAGES)
    assert identities(folded(model)) == pairs
    assert far(seen[1], seen[0]) < 1e-9


def test_what_is_not_folded_is_shared_and_the_model_is_as_it_was():
    model = model_of("dense").double()
    model.network.stem[0].weight.requires_grad_(requires_grad=False)
    parts, before = dict(model.named_modules()), copy.deepcopy(model)
    ours = folded(model)
    assert ours is not model
    assert dict(model.named_modules()) == parts
    for (name, old), (_, new) in zip(before.named_modules(), model.named_modules(), strict=True):
        assert type(old) is type(new), name
        assert old.training == new.training
        assert not new._forward_hooks
    for (name, old), (_, new) in zip(
        before.state_dict().items(), model.state_dict().items(), strict=True
    ):
        assert torch.equal(old, new), name
        assert old.stride() == new.stride(), name
    for old, new in zip(before.parameters(), model.parameters(), strict=True):
        assert old.requires_grad == new.requires_grad
        assert new.grad is None
    network, copied = model.network, ours.network
    assert copied.classifier is not network.classifier
    assert copied.classifier.weight is network.classifier.weight
    assert copied.inner_norm.weight is network.inner_norm.weight
    assert copied.inner_norm.running_var is network.inner_norm.running_var
    assert copied.inner.bias is network.inner.bias


def test_convolutions_are_channels_last_without_a_second_copy_of_those_that_were():
    model = model_of("squeezenet1_1").double().to(memory_format=torch.channels_last)
    ours = folded(model)
    for old, new in zip(model.parameters(), ours.parameters(), strict=True):
        assert old.data_ptr() == new.data_ptr()
    plain = folded(model_of("squeezenet1_1").double())
    convolutions = [part for part in plain.modules() if isinstance(part, nn.Conv2d)]
    assert all(c.weight.is_contiguous(memory_format=torch.channels_last) for c in convolutions)


def test_the_callers_random_numbers_are_left_alone():
    model = model_of("dense").double()
    state = torch.get_rng_state()
    folded(model)
    assert torch.equal(torch.get_rng_state(), state)
