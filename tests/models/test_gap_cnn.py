import pytest
import torch
from torch import nn

from xaibench.core.errors import XaibenchError
from xaibench.core.networks.trunk_classifier import build_trunk
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.head import find_head
from xaibench.core.passes.question import Question
from xaibench.core.passes.tape import Tape
from xaibench.core.registry import bind
from xaibench.models.gap_cnn import gap_cnn
from xaibench.models.saliency_net import saliency_net


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def model():
    """For three classes, with weights and statistics of every kind."""
    torch.manual_seed(0)
    model = gap_cnn(3).train()
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
    with torch.no_grad():
        model(noise(4, 3, 60, 80, seed=1))
    return model.eval()


def test_the_numbers_are_those_of_the_study():
    model = gap_cnn(2)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 102_498
    stored = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    assert sum(value.numel() for value in stored.values()) == 103_010


def test_there_are_12_x_12_positions_of_128_channels_and_the_order_is_the_studys():
    model = gap_cnn(2)
    assert model.network.features(noise(1, 3, 128, 128)).shape == (1, 128, 12, 12)
    kinds = [type(part) for part in model.network.features]
    block = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    assert kinds == 3 * [*block, nn.MaxPool2d] + block
    layers = [part for part in model.network.features if isinstance(part, nn.Conv2d)]
    assert [(c.kernel_size[0], c.out_channels, c.padding[0]) for c in layers] == [
        (1, 32, 0), (3, 32, 0), (3, 64, 0), (3, 128, 0)
    ]  # fmt: skip


def test_36_pixels_are_enough_and_44_give_more_than_one_position():
    features = gap_cnn(2).network.features
    assert features(noise(1, 3, 36, 44)).shape[2:] == (1, 2)
    with pytest.raises(RuntimeError):
        features(noise(1, 3, 35, 44))


@pytest.mark.parametrize("fold", [True, False])
def test_cams_mean_and_the_bias_make_up_the_logit(model, fold):
    images = noise(3, 3, 92, 128, seed=2)
    tape = Tape(Engine(model, fold=fold), images, {"activations", "class_weights"})
    rows, targets = torch.arange(3), torch.tensor([2, 0, 1])
    maps = bind("method", "cam")(Question(tape, rows, targets, seeds=[0, 0, 0]))
    assert maps.shape[1] < maps.shape[2]
    assert (maps < 0).any()
    assert (maps > 0).any()
    linear = model.head
    with torch.no_grad():
        logits = model(images)[rows, targets]
    found = maps.mean(dim=(1, 2)) + linear.bias.detach()[targets]
    torch.testing.assert_close(found, logits, rtol=1e-4, atol=1e-4)
    assert (logits - linear.bias.detach()[targets]).abs().min() > 1e-2


def test_the_heads_weights_are_found_and_its_embedding_is_the_pooled_activations(model):
    images = noise(2, 3, 60, 80)
    weights = find_head(model, images).weights
    torch.testing.assert_close(weights, model.head.weight.detach(), rtol=0, atol=1e-4)
    with torch.no_grad():
        pooled = model.network.features(model.normalize(images)).mean(dim=(2, 3))
        torch.testing.assert_close(model.embed(images), pooled)


def test_weights_of_the_earlier_order_are_refused_by_name(model):
    moved = {"1": "2", "5": "6", "9": "10", "13": "14"}  # batch norms was behind the ReLUs
    state = {}
    for name, value in model.state_dict().items():
        head, _, rest = name.partition("features.")
        place, _, last = rest.partition(".")
        state[f"{head}features.{moved.get(place, place)}.{last}" if rest else name] = value
    with pytest.raises(XaibenchError, match="those of the earlier gap_cnn"):
        model.load_state_dict(state)


def test_it_is_a_backbone_whose_cells_are_as_fine_and_that_learns_from_nothing():
    model = saliency_net(3, "none", backbone="gap_cnn", blocks=3).eval()
    with torch.no_grad():
        assert model.trunk(noise(1, 3, 60, 128)).shape == (1, 128, 4, 12)
        outputs = model.outputs(noise(2, 3, 60, 128), saliency=True)
    assert outputs.logits.shape == (2, 3)
    assert outputs.saliency.shape == (2, 32, 96)
    assert model.mean.flatten().tolist() == model.std.flatten().tolist() == [0.5] * 3
    with pytest.raises(XaibenchError, match="gap_cnn comes without ImageNet weights"):
        build_trunk("gap_cnn", 3, "imagenet")
