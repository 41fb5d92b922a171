"""Several layers from one pass: against one recorded pass for each of them."""

import pytest
import torch
from torch import nn

from xaibench import explain
from xaibench.core.errors import XaibenchError
from xaibench.core.model import Classifier
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.own_layer import reading
from xaibench.core.passes.several_layers import record_layers
from xaibench.core.passes.tape import Tape


def build():
    torch.manual_seed(0)
    stages = [
        nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.ReLU(inplace=True))
        for a, b in [(3, 4), (4, 5), (5, 6)]
    ]
    network = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 3))
    return Classifier(network, cam_layer="2").eval().requires_grad_(requires_grad=False)


IMAGES = torch.rand(3, 3, 32, 48, generator=torch.Generator().manual_seed(1))
TARGETS = torch.tensor([2, 0, 1])


@pytest.mark.parametrize("fold", [True, False])
def test_each_layer_is_what_a_pass_of_its_own_records(fold):
    engine = Engine(build(), fold=fold)
    found = record_layers(engine, IMAGES, TARGETS)
    assert engine.seen == len(IMAGES)  # one pass for all
    assert [each.activations.shape[1:] for each in found] == [(4, 16, 24), (5, 8, 12), (6, 4, 6)]
    assert [each.name for each in found] == ["0", "1", "2"]
    for name, activations, gradients in found:
        model = build()
        model.cam_layer = f"network.{name}"
        tape = Tape(Engine(model, fold=fold), IMAGES, {"activations", "gradients"})
        torch.testing.assert_close(activations, tape.activations, rtol=1e-4, atol=1e-5)
        alone = tape.gradients(torch.arange(3), TARGETS)
        torch.testing.assert_close(gradients, alone, rtol=1e-4, atol=1e-6)


def test_a_layer_that_folding_changes_is_recorded_unfolded():
    model = build()
    (convolution,) = record_layers(Engine(model), IMAGES, TARGETS, ["1.0"])
    seen = []
    hook = model.network[1][0].register_forward_hook(lambda _m, _i, out: seen.append(out))
    model(IMAGES)
    hook.remove()
    torch.testing.assert_close(convolution.activations, seen[0], rtol=1e-4, atol=1e-5)


def test_a_layer_without_positions_is_refused():
    with pytest.raises(XaibenchError, match="no layer 'nine'"):
        record_layers(Engine(build()), IMAGES, TARGETS, ["nine"])


def test_a_methods_own_layer_is_as_if_the_model_named_it():
    model, names = build(), ["gradcam", "guided_gradcam", "ablationcam", "eigencam"]
    own = [f"{name}[layer={layer}]" for name in names for layer in ("0", "1.2")]
    beside = ["gradcam", *own, "gradient"]
    together = explain(model, IMAGES, targets=TARGETS.tolist(), methods=beside)
    for layer in ("0", "1.2"):
        named = build()
        named.cam_layer = f"network.{layer}"
        alone = explain(named, IMAGES, targets=TARGETS.tolist(), methods=names)
        for name in names:
            torch.testing.assert_close(
                together[f"{name}[layer={layer}]"], alone[name], rtol=1e-3, atol=1e-4
            )
    assert model.cam_layer == "network.2"
    usual = explain(model, IMAGES, targets=TARGETS.tolist(), methods="gradcam")["gradcam"]
    torch.testing.assert_close(together["gradcam"], usual, rtol=0, atol=0)
    assert not torch.allclose(usual, together["gradcam[layer=0]"], atol=0.05)


@pytest.mark.parametrize(
    ("method", "said"),
    [("gradcam[layer=nine]", "no layer 'nine'"), ("gradient[layer=0]", "no option 'layer'")],
)
def test_a_layer_that_is_not_there_or_not_read_is_refused(method, said):
    with pytest.raises(XaibenchError, match=said):
        explain(build(), IMAGES, methods=method)


def test_batch_norms_are_folded_once():
    engine = Engine(build())
    for layer in ("", "0"):
        with reading(engine, layer):
            folded = engine.fast(IMAGES)
        with reading(engine, layer):
            assert engine.fast(IMAGES) is folded
    assert engine.folded is not None
