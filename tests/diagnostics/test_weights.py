import copy

import pytest
import torch
from torch import nn

from xaibench.core.model import Classifier
from xaibench.core.networks.random_weights import (
    classification_head,
    layers_in_order,
    with_random_weights,
)
from xaibench.core.registry import bind, load_plugin_file
from xaibench.setup.building import ModelWords


@pytest.fixture
def pond(plugin_file):
    load_plugin_file(plugin_file)
    torch.manual_seed(0)
    return bind("model", "pond")(ModelWords(("a", "b", "c"), 64)).eval()


@pytest.fixture
def images():
    return torch.rand(6, 3, 20, 28, generator=torch.Generator().manual_seed(0))


class Scaled(nn.Module):
    """A scale of its own, and a projection that never runs as a module."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Linear(4, 4)
        self.scale = nn.Parameter(torch.full((4, 1, 1), 0.25))

    def forward(self, values):
        return values * self.scale


def test_layers_stand_in_the_order_in_which_they_run(pond, images):
    order = ["trunk.0", "trunk.1", "trunk.3", "trunk.4", "mask_head", "head"]
    assert layers_in_order(pond, images) == order


def test_what_never_runs_by_itself_stands_with_its_parent(images):
    net = nn.Sequential(nn.Conv2d(3, 4, 1), Scaled(), nn.Flatten(), nn.LazyLinear(2))
    model = Classifier(net, cam_layer="0")
    model(images)
    names = [f"network.{name}" for name in ("0", "1", "1.unused", "3")]
    assert layers_in_order(model, images) == names
    assert classification_head(model, images) == names[1:]


def test_the_classification_head_leaves_the_saliency_alone(pond, images):
    assert classification_head(pond, images) == ["head"]


def test_a_model_without_a_cam_layer_gives_its_last_layer(pond, images):
    pond.cam_layer = None
    assert classification_head(pond, images) == ["head"]


def test_the_model_itself_stays_as_it_was(pond, images):
    before = copy.deepcopy(pond.state_dict())
    state = torch.random.get_rng_state()
    changed = with_random_weights(pond, ["head", "trunk.4"], images, seed=0)
    for name, values in pond.state_dict().items():
        assert torch.equal(values, before[name]), name
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not any(part.training for part in changed.modules())
    now = changed.state_dict()
    assert {name for name in before if not torch.equal(now[name], before[name])} == {
        "head.weight", "head.bias", "trunk.4.running_mean", "trunk.4.running_var",
        "trunk.4.num_batches_tracked",
    }  # fmt: skip


def test_a_layers_weights_depend_on_its_name_and_the_seed_alone(pond, images):
    alone = with_random_weights(pond, ["head"], images, seed=0).head.weight
    together = with_random_weights(pond, ["trunk.0", "head"], images, seed=0).head.weight
    other = with_random_weights(pond, ["head"], images, seed=1).head.weight
    assert torch.equal(alone, together)
    assert not torch.equal(alone, other)


def test_batch_norms_take_the_images_statistics(pond, images):
    pond.trunk[1].running_mean.fill_(1e3)
    changed = with_random_weights(pond, ["trunk.0", "trunk.1"], images, seed=0)
    with torch.no_grad():
        seen = changed.trunk[0](changed.normalize(images))
    norm = changed.trunk[1]
    torch.testing.assert_close(norm.running_mean, seen.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(norm.running_var, seen.transpose(0, 1).flatten(1).var(dim=1))


def test_weights_of_unknown_layers_keep_their_size(images):
    wide = Scaled()
    wide.scale = nn.Parameter(torch.full((4000,), 0.25))
    model = Classifier(nn.Sequential(nn.Conv2d(3, 4, 1), wide), cam_layer="0")
    drawn = with_random_weights(model, ["network.1"], images, seed=0).network[1].scale
    assert float(drawn.square().mean().sqrt()) == pytest.approx(0.25, rel=0.05)
    assert abs(float(drawn.mean())) < 0.02
