"""Networks of torchvision as classifiers: their sizes, their heads, and what frozen ones learn."""

import pytest
import torch
import torchvision
from torch import nn

from xaibench.core.batch import Batch
from xaibench.core.errors import XaibenchError
from xaibench.core.passes.head import find_head
from xaibench.core.registry import bind
from xaibench.running.plan import make_plan
from xaibench.setup.building import ModelWords
from xaibench.setup.selection import select
from xaibench.training.optimize import make_optimizer

CLASSES = 4
NETWORKS = [
    "alexnet", "densenet121", "densenet201", "googlenet", "inception_v3", "mobilenet_v2",
    "mobilenet_v3_small", "resnet18", "resnet34", "resnet50", "resnet101", "squeezenet1_1", "vgg16",
    "vgg19", "convnext_tiny", "swin_t", "vit_b_16",
]  # fmt: skip
LARGE = {"densenet121", "densenet201", "inception_v3", "resnet101", "swin_t", "vgg16", "vgg19"}


def build(spec, weights="none"):
    torch.manual_seed(0)
    return bind("model", spec)(ModelWords(tuple("abcd"), 64, weights))


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture
def first_weights(tmp_path):
    """A state dict of ResNet18 for other classes."""
    torch.manual_seed(1)
    torch.save(torchvision.models.resnet18(num_classes=7).state_dict(), tmp_path / "first.pt")
    return str(tmp_path / "first.pt")


def batch():
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(4, 3, 40, 56, generator=generator)
    masks = torch.zeros(4, 40, 56, dtype=torch.int8)
    return Batch(images, torch.arange(4), masks, torch.zeros(4) > 0, 4, 1)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in LARGE else ()) for n in NETWORKS]
)
def test_a_network_has_torchvisions_number_of_parameters(name):
    options = (
        {"aux_logits": False, "init_weights": False}
        if name in ("googlenet", "inception_v3")
        else {}
    )
    with torch.device("meta"):
        ours = build(name)
        theirs = torchvision.models.get_model(name, num_classes=CLASSES, **options)
    assert count(ours) == count(theirs)
    assert isinstance(ours.network, type(theirs))


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1"])
def test_a_head_may_have_a_hidden_layer_and_dropout_before_each(name):
    head = build(f"{name}[hidden=9,dropout=0.25]").head
    layer = nn.Linear if name == "resnet18" else nn.Conv2d
    assert [type(part) for part in head] == [nn.Dropout, layer, nn.ReLU, nn.Dropout, layer]
    assert [tuple(part.weight.shape[:2]) for part in (head[1], head[4])] == [(9, 512), (CLASSES, 9)]
    assert head[0].p == head[3].p == 0.25


@pytest.mark.parametrize(
    ("spec", "numbers"), [("", 513 * 4), ("[dropout=0.5]", 513 * 4), ("[hidden=9]", 513 * 9 + 40)]
)
def test_all_of_the_head_is_new_and_nothing_else(spec, numbers):
    model = build(f"resnet18{spec}")
    fresh = model.new_parameters()
    assert sum(p.numel() for p in fresh) == numbers
    assert {id(p) for p in fresh} == {id(p) for p in model.network.fc.parameters()}


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "linear"), [("[dropout=0.5]", True), ("[hidden=9]", False)])
def test_cam_needs_a_head_of_one_layer_and_dropout_does_not_hinder_it(spec, linear):
    model = build(f"resnet18{spec}").eval()
    weights = find_head(model, batch().images[:1]).weights
    assert (weights is not None) == linear
    if linear:
        torch.testing.assert_close(weights, model.head[-1].weight.detach(), rtol=0, atol=1e-4)


def changed(model):
    """Learn one step, and return the names in the state dict whose values are others then."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = make_optimizer("sgd", model.train(), 0.1)
    model.loss(batch())["loss"].backward()
    optimizer.step()
    return {name for name, value in model.state_dict().items() if not value.equal(before[name])}


def test_a_frozen_network_learns_its_head_and_nothing_else(first_weights):
    model = build("resnet18[frozen=true,hidden=9,dropout=0.3]", first_weights)
    assert model.pretrained
    head = {f"network.fc.{part}.{kind}" for part in (1, 4) for kind in ("weight", "bias")}
    assert changed(model) == head
    assert {name for name, p in model.named_parameters() if p.grad is not None} == head
    groups = make_optimizer("adam", model, 0.1).param_groups
    assert [len(group["params"]) for group in groups] == [4]


@pytest.mark.slow
def test_a_tuned_network_learns_all_and_moves_its_statistics(first_weights):
    model = build("resnet18", first_weights)
    assert changed(model) == set(model.state_dict())


def test_training_mode_reaches_the_head_of_a_frozen_network_alone():
    model = build("mobilenet_v2[frozen=true,dropout=0.3]")
    assert model.train() is model
    assert {name for name, part in model.network.named_modules() if part.training} == {
        "classifier.1", "classifier.1.0", "classifier.1.1"
    }  # fmt: skip
    model.eval()
    assert not any(part.training for part in model.modules())


@pytest.mark.slow
def test_a_stored_frozen_model_is_read_back_without_first_weights(first_weights):
    model = build("resnet18[frozen=true,hidden=9]", first_weights).eval()
    again = build("resnet18[frozen=true,hidden=9]").eval()
    images = batch().images
    assert not torch.equal(again(images), model(images))
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(images), model(images))


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False])
def test_a_plan_warns_of_random_numbers_that_are_frozen(known, first_weights, tmp_path):
    plan = make_plan(select({
        "dataset": "phantom[images=30]", "methods": ["gradcam"], "image_size": 64,
        "models": ["resnet18[frozen=true]", "squeezenet1_1"], "out": str(tmp_path),
        "weights": first_weights if known else "none",
    }))  # fmt: skip
    warned = [text for text in plan.warnings if "random numbers" in text]
    assert len(warned) == (not known)
    assert all(text.startswith("resnet18[frozen=true]: under --weights none") for text in warned)


@pytest.mark.parametrize("option", ["hidden=-1", "dropout=1", "dropout=-0.1"])
def test_options_out_of_range_are_named(option):
    with pytest.raises(XaibenchError, match=r"^squeezenet1_1\[hidden=.*'dropout' is at least 0"):
        build(f"squeezenet1_1[{option}]")
