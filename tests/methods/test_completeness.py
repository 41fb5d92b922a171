"""Promised sums: on every backbone, on real images, in a run's costs, and by a plugin."""

import os
from pathlib import Path

import pytest
import torch
import torchvision
from PIL import Image
from torch import nn
from torchvision.transforms.functional import to_tensor

from xaibench.core.completeness import gaps
from xaibench.core.errors import XaibenchError
from xaibench.core.passes.differences import find_multipliers
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.question import Question
from xaibench.core.passes.tape import Tape
from xaibench.core.registry import bind, plugins
from xaibench.setup.building import ModelWords

CHEAP = {"resnet18", "squeezenet1_1", "small_resnet", "small_vgg", "gap_cnn"}
REFUSED = dict.fromkeys(
    [(name, "fullgrad") for name in ("abn", "bcos", "frozen_head", "patch_classifier")],
    "can't tell where in the image the biases of",
)
SIDE = 96  # what Inception takes at least is 75


def ready(name, side=SIDE):
    """A model with random weights, its batch norms' statistics filled."""
    torch.manual_seed(0)
    model = bind("model", name)(ModelWords(tuple("abcd"), side)).double()
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None
        if isinstance(part, nn.Linear) and part.out_features == 4:
            part.reset_parameters()
    with torch.no_grad():
        model.train()(torch.rand(4, 3, side, side, dtype=torch.double))
    return model.eval()


def gap_of(model, spec, side=SIDE):
    images = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1)).double()
    engine = Engine(model, full_blocks=False)
    method = bind("method", spec)
    question = Question(Tape(engine, images, set()), torch.arange(2), torch.tensor([1, 3]), [0, 1])
    method(question)
    return engine.gap


@pytest.mark.parametrize(
    "name",
    [
        name if name in CHEAP else pytest.param(name, marks=pytest.mark.slow)
        for name in plugins("model")
    ],
)
def test_deeplift_and_fullgrad_keep_their_promise_on_every_backbone(name):
    if "autoencoder" in name or "vae" in name or name in ("fcn8", "unet"):
        pytest.skip("it doesn't classify")
    model = ready(name)
    for method in ("deeplift", "fullgrad"):
        if reason := REFUSED.get((name, method)):
            with pytest.raises(XaibenchError, match=reason):
                gap_of(model, method)
        else:
            assert gap_of(model, method) < 1e-6


def test_the_error_of_the_steps_is_what_integrated_gradients_miss():
    model = ready("small_resnet", 28)
    few, many = (gap_of(model, f"integrated_gradients[steps={steps}]", 28) for steps in (2, 32))
    assert few > 3 * many > 0
    assert gap_of(model, "kernel_shap[segments=4,samples=10]", 28) < 1e-6


def test_a_gap_is_a_share_of_what_is_owed_or_of_a_hundredth_of_what_was_given():
    given = torch.tensor([[[3.0, 1.0]], [[500.0, -499.5]], [[0.0, 0.0]]])
    owed = torch.tensor([5.0, 0.0, 0.0])
    assert gaps(given, owed).tolist() == pytest.approx([1 / 5, 0.5 / 9.995, 0])


def test_methods_that_promise_nothing_have_no_gap():
    assert gap_of(ready("small_vgg", 28), "input_x_gradient", 28) is None


@pytest.mark.slow
def test_deeplift_accounts_for_the_logits_of_a_trained_network_on_x_rays():
    root = Path(os.environ.get("XAIBENCH_DATA", "absent"))
    files = sorted((root / "chest_xray").rglob("*.jpeg"))[::5][:6]
    weights = root.parent / "weights" / "mobilenet_v3_small_cxr.pth"
    if len(files) < 6 or not weights.is_file():
        pytest.skip("needs chest_xray and mobilenet_v3_small_cxr.pth in $XAIBENCH_DATA/../weights")
    network = torchvision.models.mobilenet_v3_small()
    network.classifier = nn.Sequential(
        nn.Linear(576, 256), nn.Hardswish(), nn.Dropout(), nn.Linear(256, 2)
    )
    network.load_state_dict(torch.load(weights, weights_only=True))  # every key fits
    network.eval()
    images = torch.stack([
        to_tensor(Image.open(file).convert("RGB").resize((224, 224))) for file in files
    ])  # fmt: skip
    starts = torch.zeros_like(images)
    found, change = find_multipliers(network, images, starts, torch.tensor([0, 1] * 3))
    with torch.no_grad():
        owed = (network(images) - network(starts))[torch.arange(6), torch.tensor([0, 1] * 3)]
    torch.testing.assert_close(change, owed, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close((images * found).sum(dim=(1, 2, 3)), owed, rtol=1e-3, atol=2e-3)
