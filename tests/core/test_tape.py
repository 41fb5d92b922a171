import pytest
import torch
import torchvision
from captum.attr import LayerAttribution, LayerGradCam
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from small_nets import noise, wrap
from torch import nn

from xaibench.core.errors import XaibenchError
from xaibench.core.maps import finish
from xaibench.core.model import Classifier, evaluating
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.question import Question
from xaibench.core.passes.tape import Tape
from xaibench.methods.gradcam import gradcam

CLASSES = 4
WORDS = {"activations", "gradients"}


class InPlaceBehindTheLayer(nn.Module):
    """DenseNet's ending: the trunk's output is overwritten by the ReLU behind it."""

    def __init__(self, inplace=True):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.ReLU(inplace=inplace),
            nn.Conv2d(8, 12, 3, stride=2, padding=1),
            nn.BatchNorm2d(12),
        )
        self.relu = nn.ReLU(inplace=inplace)
        self.classifier = nn.Linear(12, CLASSES)

    def forward(self, images):
        return self.classifier(self.relu(self.features(images)).mean(dim=(2, 3)))


def calibrated(network, height, width):
    """Fill the running statistics, without which random networks are nearly constant."""
    network.train()
    with torch.no_grad():
        for step in range(3):
            network(noise(4, 3, height, width, seed=10 + step))
    return network.eval()


def build(kind, inplace=True):
    torch.manual_seed(0)
    if kind == "resnet18":
        network, layer = torchvision.models.resnet18(num_classes=CLASSES), "layer4"
    elif kind == "squeezenet1_1":
        network, layer = torchvision.models.squeezenet1_1(num_classes=CLASSES), "features"
    else:
        network, layer = InPlaceBehindTheLayer(inplace), "features"
    return calibrated(network, 96, 160), layer


def our_maps(model, images, targets):
    tape = Tape(Engine(model, fold=False), images, WORDS)
    question = Question(tape, torch.arange(len(images)), targets, seeds=[])
    return finish(gradcam(question.activations, question.gradients), tuple(images.shape[2:]))[0]


def stretched(maps):
    return finish(maps, tuple(maps.shape[1:]), sign="none")[0]


@pytest.mark.parametrize(
    "kind", [pytest.param("resnet18", marks=pytest.mark.slow), "squeezenet1_1", "in-place"]
)
def test_gradcam_equals_captum_and_grad_cam_on_images_that_are_not_square(kind):
    network, layer = build(kind)
    # In float64: in float32 they would differ by what the machine's kernels make of it.
    images, targets = noise(3, 3, 96, 160).double(), torch.tensor([2, 0, 3])
    ours = our_maps(wrap(network.double(), layer), images, targets)
    assert (ours.flatten(1).amax(dim=1) == 1).all()

    plain = build(kind, inplace=False)[0].double()
    captum = LayerGradCam(plain, plain.get_submodule(layer))
    theirs = captum.attribute(images, targets, relu_attributions=True)
    theirs = LayerAttribution.interpolate(theirs, (96, 160), "bilinear")[:, 0].detach()
    torch.testing.assert_close(ours, stretched(theirs), rtol=0, atol=1e-9)

    with GradCAM(model=plain, target_layers=[plain.get_submodule(layer)]) as peer:
        maps = peer(images, [ClassifierOutputTarget(int(target)) for target in targets])
    # It returns float32.
    torch.testing.assert_close(ours.float(), stretched(torch.from_numpy(maps)), rtol=0, atol=1e-6)


def test_the_record_holds_what_stood_before_an_in_place_relu():
    network, layer = build("in-place")
    images = noise(2, 3, 40, 56)
    tape = Tape(Engine(wrap(network, layer)), images, WORDS)
    with torch.no_grad():
        expected = network.features(images)
    assert expected.min() < 0
    torch.testing.assert_close(tape.activations, expected)
    torch.testing.assert_close(tape.logits[:2].detach(), network(images).detach())


def test_gradients_equal_those_of_the_whole_graph():
    network, layer = build("in-place", inplace=False)
    images, targets = noise(3, 3, 40, 56), torch.tensor([1, 1, 2])
    tape = Tape(Engine(wrap(network, layer)), images, WORDS)
    activations = network.features(images)
    logits = network.classifier(network.relu(activations).mean(dim=(2, 3)))
    (expected,) = torch.autograd.grad(logits[torch.arange(3), targets].sum(), activations)
    torch.testing.assert_close(tape.gradients(torch.arange(3), targets), expected)


def test_rows_choose_images_and_their_own_targets():
    network, layer = build("in-place")
    tape = Tape(Engine(wrap(network, layer)), noise(5, 3, 40, 56), WORDS)
    every = tape.gradients(torch.arange(5), torch.tensor([0, 1, 2, 3, 0]))
    some = tape.gradients(torch.tensor([1, 4]), torch.tensor([1, 2]))
    question = Question(tape, torch.tensor([1, 4]), torch.tensor([1, 2]), seeds=[])
    torch.testing.assert_close(some[0], every[1])
    assert not torch.allclose(some[1], every[4])
    assert torch.equal(question.activations, tape.activations[[1, 4]])
    assert torch.equal(question.images, tape.images[[1, 4]])


def test_gradients_are_computed_once_for_a_question():
    network, layer = build("in-place")
    tape = Tape(Engine(wrap(network, layer)), noise(2, 3, 40, 56), WORDS)
    rows, targets = torch.arange(2), torch.tensor([0, 1])
    assert tape.gradients(rows, targets) is tape.gradients(rows.clone(), targets.clone())
    assert tape.gradients(rows, targets) is not tape.gradients(rows, targets.flip(0))


def test_only_the_head_has_a_graph():
    network, layer = build("in-place")
    engine, images, traced = Engine(wrap(network, layer)), noise(2, 3, 40, 56), []
    trunk = engine.fast(images).network.features[0]
    trunk.register_forward_hook(lambda _, __, output: traced.append(output.grad_fn))
    tape = Tape(engine, images, WORDS)
    tape.gradients(torch.arange(2), torch.tensor([0, 1]))
    assert traced == [None]
    assert tape.activations.grad_fn is None
    assert not tape.activations.requires_grad
    assert tape.logits.grad_fn is not None
    assert all(parameter.grad is None for parameter in network.parameters())


def test_nothing_has_a_graph_where_no_gradient_is_asked_for():
    network, layer = build("in-place")
    tape = Tape(Engine(wrap(network, layer)), noise(2, 3, 40, 56), {"activations"})
    assert not tape.logits.requires_grad
    assert torch.is_grad_enabled()


def test_frozen_models_have_gradients_too():
    network, layer = build("in-place")
    model = wrap(network, layer).requires_grad_(requires_grad=False)
    tape = Tape(Engine(model), noise(2, 3, 40, 56), WORDS)
    assert tape.gradients(torch.arange(2), torch.tensor([0, 1])).abs().sum() > 0


class Branches(nn.Module):
    """A network with layers that CAM methods can't use."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Conv2d(3, 6, 3, padding=1)
        self.pair = Pair()
        self.aside = nn.Conv2d(6, 6, 1)
        self.idle = nn.Conv2d(6, 6, 1)
        self.head = nn.Linear(6, CLASSES)

    def forward(self, images):
        features, _ = self.pair(self.trunk(images))
        self.aside(features)
        return self.head(features.mean(dim=(2, 3)))


class Pair(nn.Module):
    def forward(self, features):
        return features, features


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        ("trunc", "no layer 'trunc'"),
        ("idle", "'idle' does not run"),
        ("pair", "'pair' gives a tuple"),
        ("aside", "don't depend on layer 'aside'"),
        ("head", "neither .* nor tokens"),
    ],
)
def test_an_unsuitable_layer_is_named_and_no_hook_stays(layer, reason):
    model = wrap(Branches(), layer)
    with pytest.raises(XaibenchError, match=reason):
        our_maps(model, noise(2, 3, 16, 24), torch.tensor([0, 1]))
    assert not any(part._forward_hooks for part in model.modules())
    assert torch.is_grad_enabled()


def test_images_are_normalized_inside_the_model():
    network, layer = build("in-place")
    images = noise(3, 3, 40, 56)
    model = Classifier(network, cam_layer=layer, mean=[0.1, 0.2, 0.3], std=[0.5, 0.6, 0.7]).eval()
    mean, std = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 0.6, 0.7])
    by_hand = ((images.movedim(1, 3) - mean) / std).movedim(3, 1)
    torch.testing.assert_close(model(images), network(by_hand))


def test_evaluating_restores_each_submodules_mode_even_after_an_error():
    model = Classifier(build("in-place")[0], cam_layer="features").train()
    model.network.features[3].eval()
    modes = [part.training for part in model.modules()]
    with evaluating(model):
        assert not any(part.training for part in model.modules())
    assert [part.training for part in model.modules()] == modes
    with pytest.raises(ValueError, match="expected 4D"), evaluating(model):
        model(torch.zeros(1))
    assert [part.training for part in model.modules()] == modes


class TwoByTwo(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 3)

    def forward(self, images):
        return torch.cat([self.head(self.trunk(one).mean((2, 3))) for one in images.split(2)])


def test_a_layer_that_sees_a_part_of_the_batch_is_refused():
    model = wrap(TwoByTwo(), "trunk")
    with pytest.raises(XaibenchError, match="trunk' runs on parts of a batch"):
        our_maps(model, noise(3, 3, 8, 12), torch.tensor([0, 1, 2]))
