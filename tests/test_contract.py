"""Rules that every plugin keeps; a new plugin is tested here without a line being added."""

import copy
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from xaibench.core.contract import KINDS
from xaibench.core.covering import CoveredConfidence
from xaibench.core.maps import finish
from xaibench.core.mask_heads import SaliencyDecoder
from xaibench.core.model import Classifier, Model, evaluating
from xaibench.core.registry import bind, plugins
from xaibench.core.seeds import seed_of
from xaibench.core.tape import Question, Tape
from xaibench.models.saliency_net import SaliencyNet

HEIGHT, WIDTH = 40, 56
CLASSES = 3
ROOT = Path(__file__).parents[1]
MASK_WORDS = {"masks", "mean_mask"}


def conv_net(channels):
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.Conv2d(6, channels, 3, stride=2, padding=1),
        nn.BatchNorm2d(channels),
    )


def build_cnn():
    torch.manual_seed(0)
    network = nn.Sequential(
        conv_net(8),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, CLASSES),
    )
    return calibrate(Classifier(network, cam_layer="0"))


def build_saliency_net():
    torch.manual_seed(0)
    head = SaliencyDecoder(8, 2, "bilinear")
    return calibrate(
        SaliencyNet(conv_net(8), head, channels=8, classes=CLASSES, loss="bce", weight=1.0)
    )


def calibrate(model: Model):
    """Leave a mixture of modes and frozen parameters, which every method has to respect."""
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model(torch.rand(8, 3, HEIGHT, WIDTH))
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    norms[0].eval()
    next(model.parameters()).requires_grad_(requires_grad=False)
    return model


MODELS = {"cnn": build_cnn, "saliency_net": build_saliency_net}


def images_of(count=3):
    noise = torch.rand(count, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))
    masks = masks_of(count)
    return (0.5 * noise + 0.4 * masks[:, None]).clamp(0, 1)


def masks_of(count=3):
    masks = torch.zeros(count, HEIGHT, WIDTH, dtype=torch.int8)
    for row in range(count):
        masks[row, 4 + row : 12 + 2 * row, 20:50] = 1
        masks[row, 12 : 20 + row, 20:26] = 1
    return masks


def ask(name, model, images, rows=None, seed=0):
    """Return raw and finished maps of some rows, as a run would make them."""
    method = bind("method", name)
    rows = torch.arange(len(images)) if rows is None else rows
    masks = masks_of()
    targets = (torch.arange(len(images)) % CLASSES)[rows]
    with evaluating(model):
        tape = Tape(model, images[rows], method.plugin.signature.words)
        question = Question(
            tape,
            torch.arange(len(rows)),
            targets,
            [seed_of(seed, row, name) for row in rows.tolist()],
            all_masks=masks[rows],
            mean_mask=masks.float().mean(dim=0),
        )
        raw = method(question).detach()
    traits = method.plugin.traits
    finished, _ = finish(raw, (HEIGHT, WIDTH), sign=traits.sign, rescale=traits.rescale)
    return raw, finished


def pairs():
    for name, plugin in plugins("method").items():
        for kind, build in MODELS.items():
            if set(plugin.signature.words) & {"saliency", "class_weights"} - build().abilities:
                continue
            yield pytest.param(name, build, id=f"{name}-{kind}")


every_method = pytest.mark.parametrize(("name", "build"), list(pairs()))
every_metric = pytest.mark.parametrize("name", plugins("metric"))
LOCALIZATION = [n for n, p in plugins("metric").items() if p.traits.family == "localization"]


def test_every_method_runs_on_one_of_the_models_here():
    assert {case.values[0] for case in pairs()} == set(plugins("method"))


@every_method
def test_one_finite_map_for_each_image(name, build):
    raw, finished = ask(name, build(), images_of())
    assert raw.ndim == 3
    assert len(raw) == 3
    assert raw.isfinite().all()
    assert finished.shape == (3, HEIGHT, WIDTH)
    assert finished.min() >= 0
    assert 0 < finished.max() <= 1


@every_method
def test_same_seed_same_map_whatever_the_global_random_state(name, build):
    model = build()
    torch.manual_seed(1)
    first, _ = ask(name, model, images_of())
    torch.manual_seed(2)
    state = torch.get_rng_state()
    second, _ = ask(name, model, images_of())
    assert torch.equal(first, second)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    "name", [n for n, p in plugins("method").items() if "generator" in p.signature.words]
)
def test_another_seed_gives_another_map(name):
    model = build_cnn()
    first, second = (ask(name, model, images_of(), seed=seed)[1] for seed in (0, 1))
    assert not torch.equal(first, second)


@every_method
def test_a_batch_of_three_equals_three_batches_of_one(name, build):
    model, images = build(), images_of()
    whole, _ = ask(name, model, images)
    for row in range(3):
        alone, _ = ask(name, model, images, rows=torch.tensor([row]))
        torch.testing.assert_close(alone[0], whole[row], rtol=0, atol=1e-6)


@every_method
@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_constant_images_give_no_nan(name, build, grey):
    _, finished = ask(name, build(), torch.full((3, 3, HEIGHT, WIDTH), grey))
    assert finished.isfinite().all()


@every_method
def test_model_and_images_are_left_as_they_were(name, build):
    model, images = build(), images_of()
    before, pixels = copy.deepcopy(model), images.clone()
    ask(name, model, images)
    assert torch.equal(images, pixels)
    assert not images.requires_grad
    for (key, old), (_, new) in zip(before.named_modules(), model.named_modules(), strict=True):
        assert old.training == new.training, key
        hooks = (new._forward_hooks, new._forward_pre_hooks, new._backward_hooks)
        assert not any(hooks), key
    for key, value in before.state_dict().items():
        assert torch.equal(value, model.state_dict()[key]), key
    for old, new in zip(before.parameters(), model.parameters(), strict=True):
        assert old.requires_grad == new.requires_grad
        assert new.grad is None


@pytest.mark.parametrize(
    ("kind", "name"), [(k, n) for k in KINDS for n, p in plugins(k).items() if p.paper]
)
def test_paper_is_in_the_bibliography(kind, name):
    keys = re.findall(r"^@\w+\{([^,\s]+),", (ROOT / "references.bib").read_text("utf-8"), re.M)
    assert plugins(kind)[name].paper in keys


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k in KINDS for n in plugins(k)])
def test_plugin_says_in_one_sentence_what_it_does(kind, name):
    assert plugins(kind)[name].summary.endswith(".")


class PixelWeights(nn.Module):
    """A classifier that knows where things lie: another place, another confidence."""

    def __init__(self, height, width):
        super().__init__()
        weights = torch.randn(
            CLASSES, 3 * height * width, generator=torch.Generator().manual_seed(3)
        )
        self.weights = weights / 20

    def forward(self, images):
        return (images.flatten(1) @ self.weights.T).softmax(dim=1)


def words_of(maps, masks):
    """Return the metric vocabulary for some maps."""
    generator = torch.Generator().manual_seed(4)
    images = torch.rand(len(maps), 3, *maps.shape[1:], generator=generator)
    predict = PixelWeights(*maps.shape[1:])
    targets = torch.arange(len(maps)) % CLASSES
    return SimpleNamespace(
        maps=maps,
        masks=masks,
        images=images,
        targets=targets,
        predict=predict,
        confidence=predict(images).gather(1, targets[:, None])[:, 0],
        covered_confidence=CoveredConfidence(images, maps, targets, predict),
    )


def metric_case(height=HEIGHT, width=WIDTH, count=16):
    generator = torch.Generator().manual_seed(5)
    masks = torch.zeros(count, height, width, dtype=torch.int8)
    masks[:, 4:12, 10:38] = 1
    masks[::2, 20:30, 5:9] = 1
    maps = torch.rand(count, height, width, generator=generator)
    return maps, masks


@every_metric
def test_metric_gives_one_value_for_each_map_within_its_bounds(name):
    values = bind("metric", name)(words_of(*metric_case()))
    lowest, highest = plugins("metric")[name].traits.bounds
    assert values.shape == (16,)
    assert values.isfinite().all()
    assert lowest <= values.min()
    assert values.max() <= highest


@every_metric
def test_metric_is_undefined_where_the_mask_is_empty(name):
    maps, masks = metric_case()
    masks[3] = 0
    masks[5] = -1
    values = bind("metric", name)(words_of(maps, masks))
    uses_masks = "masks" in plugins("metric")[name].signature.words
    expected = [row for row in (3, 5) if uses_masks]
    assert values.isnan().nonzero().flatten().tolist() == expected


@every_metric
def test_metric_of_a_map_does_not_depend_on_its_batch(name):
    maps, masks = metric_case()
    metric = bind("metric", name)
    everything = words_of(maps, masks)
    whole = metric(everything)
    for row in (0, 7):
        alone = copy.copy(everything)
        for word in ("maps", "masks", "images", "targets", "confidence"):
            setattr(alone, word, getattr(everything, word)[row : row + 1])
        alone.covered_confidence = CoveredConfidence(
            alone.images, alone.maps, alone.targets, alone.predict
        )
        torch.testing.assert_close(metric(alone)[0], whole[row], rtol=1e-6, atol=1e-6)


@every_metric
def test_transposed_maps_change_the_scores(name):
    noise, masks = metric_case(48, 48)
    maps = 0.6 * noise + 0.4 * masks
    metric = bind("metric", name)
    straight = metric(words_of(maps, masks))
    transposed = metric(words_of(maps.mT.contiguous(), masks))
    assert (straight != transposed).any()


@pytest.mark.parametrize("name", LOCALIZATION)
def test_oracle_reaches_the_bound_and_beats_chance(name):
    noise, masks = metric_case()
    metric = bind("metric", name)
    oracle = metric(words_of(bind("method", "oracle").plugin.function(masks), masks))
    chance = metric(words_of(noise, masks))
    lowest, highest = plugins("metric")[name].traits.bounds
    best = highest if metric.higher_is_better else lowest
    assert oracle.tolist() == [best] * 16
    assert (oracle.mean() > chance.mean()) == metric.higher_is_better


@pytest.mark.parametrize("name", plugins("model"))
def test_model_plugin_builds_a_trainable_classifier(name):
    model = bind("model", name).plugin.function(CLASSES, "none", **small_options(name))
    assert isinstance(model, Model)
    assert {"predict", "activations", "gradients"} <= model.abilities
    with evaluating(model), torch.no_grad():
        outputs = model.outputs(torch.rand(2, 3, 64, 96), saliency="saliency" in model.abilities)
    assert outputs.logits.shape == (2, CLASSES)
    assert (outputs.saliency is not None) == ("saliency" in model.abilities)
    fresh = sum(p.numel() for p in model.new_parameters())
    assert 0 < fresh < sum(p.numel() for p in model.parameters())
    assert outputs.logits.isfinite().all()


def small_options(name):
    options = bind("model", name).plugin.signature.options
    return {"backbone": "mobilenet_v3_small"} if "backbone" in options else {}
