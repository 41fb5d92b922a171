"""Methods that differentiate by the image, against captum, pytorch-grad-cam and plain autograd."""

import copy

import pytest
import torch
from captum import attr
from nets import CLASSES, IMAGES, SEEDS, SIZE, TARGETS, build, calibrated, close, raw_maps
from pytorch_grad_cam import FullGrad
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torch.nn import functional
from torchvision.transforms.functional import gaussian_blur

from xaibench import Explainer
from xaibench.core.seeds import BatchGenerator

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:captum")


def chain(activation=nn.ReLU, pool=None):
    """Every nonlinearity is a module of its own, as captum wants it."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2, padding=2),
        pool or nn.MaxPool2d(2),
        nn.BatchNorm2d(8),
        activation(),
        nn.Conv2d(8, 12, 3, stride=2, padding=1),
        activation(),
        nn.AdaptiveAvgPool2d(3),
        nn.Flatten(),
        nn.Linear(108, 16),
        activation(),
        nn.Linear(16, CLASSES),
    )


def build_resnet(inplace=True):
    return build("resnet18", inplace=inplace)


def make_chain(inplace=True):
    return calibrated(chain(), inplace)


def derive(network, images, targets=TARGETS):
    """Gradients by plain autograd, in double precision."""
    leaves = images.double().requires_grad_()
    logits = copy.deepcopy(network).double()(leaves)
    (gradients,) = torch.autograd.grad(logits.gather(1, targets[:, None]).sum(), leaves)
    return gradients


def baseline(kind):
    if kind == "blur":  # a tenth of the shorter side, cut off at two of them
        return gaussian_blur(IMAGES, [25, 25], [6.4, 6.4])
    means = IMAGES.mean(dim=(2, 3), keepdim=True).expand_as(IMAGES).clone()
    return means if kind == "mean" else 0 * means


def complete(found, network, start):
    """Attributions add up to the difference of the logits of image and baseline."""
    gain = (network(IMAGES) - network(start)).detach().gather(1, TARGETS[:, None])[:, 0]
    size = float(gain.abs().max())
    torch.testing.assert_close(found.sum(dim=(1, 2)), gain, rtol=0, atol=1e-4 * size)


def parts_of(signed):
    return {
        "absolute": signed.abs(),
        "positive": signed.relu(),
        "negative": (-signed).relu(),
        "signed": signed,
    }


@pytest.mark.slow
@pytest.mark.parametrize("make", [build_resnet, make_chain])
def test_gradient_equals_captums_saliency_and_keeps_one_sign_if_asked(make):
    network = make()
    theirs = attr.Saliency(network).attribute(IMAGES.clone(), TARGETS, abs=False)
    close(raw_maps(network, "gradient"), theirs.abs().amax(dim=1))
    close(raw_maps(network, "gradient[part=positive]"), theirs.amax(dim=1).relu())
    close(raw_maps(network, "gradient[part=negative]"), (-theirs).amax(dim=1).relu())


@pytest.mark.slow
@pytest.mark.parametrize("part", ["absolute", "positive", "negative", "signed"])
def test_input_x_gradient_equals_captums(part):
    network = build("resnet18")
    theirs = attr.InputXGradient(network).attribute(IMAGES.clone(), TARGETS).sum(dim=1)
    ours = raw_maps(network, f"input_x_gradient[part={part}]")
    close(ours, parts_of(theirs.detach())[part])


@pytest.mark.parametrize("part", ["absolute", "positive", "negative", "signed"])
def test_integrated_gradients_equal_captums(part):
    # Averages are pooled: close to a plain baseline rounding decides which of a window is largest.
    network, start = calibrated(chain(pool=nn.AvgPool2d(2))), baseline("mean")
    theirs = attr.IntegratedGradients(network).attribute(
        IMAGES, start, TARGETS, n_steps=11, method="gausslegendre"
    )
    ours = raw_maps(network, f"integrated_gradients[steps=11,part={part},baseline=mean]")
    close(ours, parts_of(theirs.sum(dim=1))[part])


@pytest.mark.parametrize("name", ["integrated_gradients", "deeplift"])
@pytest.mark.parametrize("kind", ["black", "mean", "blur"])
def test_attributions_add_up_to_what_the_baseline_lacks(name, kind):
    # Smooth, so that a dozen of points are enough.
    network = calibrated(chain(nn.Softplus, nn.AvgPool2d(2)))
    options = "steps=12," if name == "integrated_gradients" else ""
    found = raw_maps(network, f"{name}[{options}part=signed,baseline={kind}]")
    complete(found, network, baseline(kind))


def test_smoothgrad_averages_gradients_over_the_same_draws():
    network, expected = calibrated(chain()), []
    for row, (image, target) in enumerate(zip(IMAGES, TARGETS, strict=True)):
        drawn = BatchGenerator(SEEDS).normal_copies(row, 0, 11, 3, *SIZE)
        copies = image + 0.2 * (image.max() - image.min()) * drawn
        expected.append(derive(network, copies, target.expand(11)).mean(dim=0).abs().amax(dim=0))
    close(raw_maps(network, "smoothgrad[samples=11,noise=0.2]"), torch.stack(expected))
    close(raw_maps(network, "smoothgrad[samples=2,noise=0]"), raw_maps(network, "gradient"))


def test_vargrad_is_the_variance_of_gradients_over_the_same_draws():
    network, expected = calibrated(chain()), []
    for row, (image, target) in enumerate(zip(IMAGES, TARGETS, strict=True)):
        drawn = BatchGenerator(SEEDS).normal_copies(row, 0, 11, 3, *SIZE)
        copies = image + 0.2 * (image.max() - image.min()) * drawn
        gradients = derive(network, copies, target.expand(11))
        expected.append(gradients.var(dim=0, correction=0).amax(dim=0))
    close(raw_maps(network, "vargrad[samples=11,noise=0.2]"), torch.stack(expected))


def test_gradient_shap_averages_over_the_same_draws():
    network, expected = calibrated(chain()), []
    places = BatchGenerator(SEEDS).uniform(11, 1, 1, 1)
    for row, (image, target) in enumerate(zip(IMAGES, TARGETS, strict=True)):
        start = image.mean(dim=(1, 2), keepdim=True)
        drawn = BatchGenerator(SEEDS).normal_copies(row, 0, 11, 3, *SIZE)
        ends = image + 0.2 * (image.max() - image.min()) * drawn
        points = places[row] * ends + (1 - places[row]) * start
        found = (ends - start) * derive(network, points, target.expand(11))
        expected.append(found.mean(dim=0).sum(dim=0))
    ours = raw_maps(network, "gradient_shap[samples=11,noise=0.2,baseline=mean,part=signed]")
    close(ours, torch.stack(expected))


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Sigmoid, nn.ELU])
@pytest.mark.parametrize("kind", ["black", "mean", "blur"])
def test_deeplift_equals_captums_where_each_nonlinearity_stands_alone(activation, kind):
    # Where one follows upon another captum's hooks miss the second's multipliers. On a plain
    # baseline rounding decides which of a window is largest, so that averages are pooled there.
    pool = nn.AvgPool2d(2) if kind == "mean" else nn.MaxPool2d(2)
    network = calibrated(chain(activation, pool), inplace=False)
    peer = attr.DeepLift(copy.deepcopy(network))
    theirs = peer.attribute(IMAGES.clone(), baseline(kind), TARGETS).sum(dim=1).detach()
    close(raw_maps(network, f"deeplift[part=signed,baseline={kind}]"), theirs)


class Functional(nn.Module):
    """ReLUs and max pooling as functions, the pooling's windows overlapping."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 12, 3, padding=1)
        self.last = nn.Linear(12, CLASSES)

    def forward(self, images):
        images = functional.max_pool2d(functional.relu(self.first(images)), 3, 2)
        images = self.second(images)
        torch.relu_(images)  # what comes back is dropped
        return self.last(functional.relu(images.mean(dim=(2, 3)), inplace=True))


@pytest.mark.slow
@pytest.mark.parametrize("make", [build_resnet, lambda: calibrated(Functional())])
def test_deeplift_is_complete_where_relus_are_shared_functional_or_in_place(make):
    network = make()
    complete(raw_maps(network, "deeplift[part=signed]"), network, baseline("black"))
    found = raw_maps(network, "input_x_gradient[part=signed]")
    with pytest.raises(AssertionError, match="not close"):
        complete(found, network, baseline("black"))


@pytest.mark.slow
@pytest.mark.parametrize("make", [build_resnet, make_chain])
def test_guided_backprop_equals_captums(make):
    theirs = attr.GuidedBackprop(make(inplace=False)).attribute(IMAGES.clone(), TARGETS)
    close(raw_maps(make(), "guided_backprop"), theirs.abs().amax(dim=1))


def test_guided_backprop_reaches_relus_that_are_functions():
    network = calibrated(Functional())
    modules = nn.Sequential(
        network.first, nn.ReLU(), nn.MaxPool2d(3, 2), network.second, nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), network.last,
    )  # fmt: skip
    theirs = attr.GuidedBackprop(modules).attribute(IMAGES.clone(), TARGETS)
    close(raw_maps(network, "guided_backprop"), theirs.abs().amax(dim=1))


@pytest.mark.slow
def test_guided_gradcam_equals_captums():
    same = build("resnet18", inplace=False)
    theirs = attr.GuidedGradCam(same, same.layer3).attribute(
        IMAGES.clone(), TARGETS, interpolate_mode="bilinear"
    )
    ours = raw_maps(build("resnet18"), "guided_gradcam", "layer3")
    close(ours, theirs.abs().amax(dim=1).detach())


@pytest.mark.slow
def test_fullgrad_equals_the_librarys():
    network = build("resnet18")
    ours = Explainer(network, fold=False)(IMAGES, TARGETS, "fullgrad")["fullgrad"]
    # The library adds 1e-7 to maxima: with large gradients that is nothing.
    large = build("resnet18", inplace=False)
    for parameter in large.fc.parameters():
        parameter.data *= 1e6
    with FullGrad(large, []) as peer:
        theirs = peer(IMAGES.clone(), [ClassifierOutputTarget(int(target)) for target in TARGETS])
    close(ours, torch.from_numpy(theirs))
