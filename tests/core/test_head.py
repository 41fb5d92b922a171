import copy
import gc
import weakref

import pytest
import torch
import torchvision
from small_nets import CLASSES, LAYERS, build, calibrated, far, model_of, noise, wrap
from torch import nn

import xaibench.core.passes.head
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.head import find_head, run_head
from xaibench.core.passes.question import Question
from xaibench.core.passes.tape import Tape
from xaibench.core.registry import bind
from xaibench.explaining.questions import words_of

IMAGES = noise(2, 3, 64, 96, seed=3)


def trunk():
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=8, padding=2), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 12, 3, padding=1), nn.BatchNorm2d(12),
    )  # fmt: skip


class Net(nn.Module):
    """A trunk (8 x 12 places of 12 channels), and a head that is any function."""

    def __init__(self, head, *parts):
        super().__init__()
        self.trunk, self.parts, self.head = trunk(), nn.ModuleList(parts), head

    def forward(self, images):
        return self.head(self.trunk(images), *self.parts)


def linear(features=12, **options):
    return nn.Linear(features, CLASSES, **options)


def net(kind):
    torch.manual_seed(0)
    heads = {
        "one layer": (lambda x, f: f(x.mean(dim=(2, 3))), linear()),
        "no bias": (lambda x, f: f(x.mean(dim=(2, 3))), linear(bias=False)),
        "two linear layers": (
            lambda x, f, g: g(f(x.mean(dim=(2, 3)))), nn.Linear(12, 7), linear(7)
        ),
        "max pooling": (lambda x, f: f(x.amax(dim=(2, 3))), linear()),
        "flattened": (lambda x, f: f(x.flatten(1)), linear(12 * 8 * 12)),
        "a functional ReLU": (lambda x, f: f(x.relu().mean(dim=(2, 3))), linear()),
        "a ReLU in place": (lambda x, f: f(x.relu_().mean(dim=(2, 3))), linear()),
        "two layers": (
            lambda x, f, g: g(f(x.mean(dim=(2, 3))).relu()), nn.Linear(12, 9), linear(9)
        ),
        # For a > 0 f(a x) = a f(x), as for a linear map.
        "two layers without biases": (
            lambda x, f, g: g(f(x.mean(dim=(2, 3))).relu()),
            nn.Linear(12, 9, bias=False), linear(9, bias=False),
        ),
        "absolute values": (lambda x, f: f(x.mean(dim=(2, 3)).abs()), linear(bias=False)),
        "the image itself": (
            lambda x, f: f(x.mean(dim=(2, 3))) * x.std(dim=(1, 2, 3))[:, None], linear()
        ),
    }  # fmt: skip
    head, *parts = heads[kind]
    return wrap(calibrated(Net(head, *parts)), "trunk")


def vit():
    torch.manual_seed(0)
    network = torchvision.models.VisionTransformer(
        image_size=64, patch_size=16, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64,
        num_classes=CLASSES,
    )  # fmt: skip
    nn.init.normal_(network.heads[-1].weight)
    nn.init.normal_(network.class_token)
    return wrap(network, "encoder.layers.encoder_layer_1.ln_1")


def swin(layer):
    torch.manual_seed(0)
    network = torchvision.models.swin_transformer.SwinTransformer(
        patch_size=[4, 4], embed_dim=16, depths=[2, 2], num_heads=[2, 2], window_size=[4, 4],
        num_classes=CLASSES,
    )  # fmt: skip
    return wrap(network, layer)


MODELS = {
    **{kind: lambda kind=kind: model_of(kind) for kind in LAYERS},
    "early": lambda: wrap(build("resnet18"), "layer2"),
    "flattened": lambda: net("flattened"),
    "vit": vit,
    "swin": lambda: swin("features"),
    "swin's norm": lambda: swin("norm"),
}


def images_of(kind):
    return noise(1, 3, 64, 64 if kind == "vit" else 96, seed=4)


def activations_of(model, images):
    return Tape(Engine(model, fold=False), images, {"activations"}).activations


def variants_of(model, image, count):
    """Activations with channels left out, made larger, turned round, or noise altogether."""
    seen = activations_of(model, image)
    generator = torch.Generator().manual_seed(5)
    factors = torch.randn(count, seen.shape[1], 1, 1, generator=generator)
    factors[::3, ::2] = 0
    drawn = torch.randn(count, *seen.shape[1:], generator=generator) * seen.std()
    return torch.cat([seen, (factors * seen)[1:]]) + drawn * (torch.arange(count) % 2).view(
        -1, 1, 1, 1
    )


def one_by_one(model, image, variants, form):
    """Replace the layer's output for each variant in a pass of its own."""
    layer, logits = model.get_submodule(model.cam_layer), []
    for variant in variants:

        def replace(_module, _inputs, output, variant=variant):
            if form == "tokens":
                output = output.clone()
                output[0, 1:] = variant.flatten(1).T
                return output
            return variant[None] if form == "first" else variant[None].permute(0, 2, 3, 1)

        hook = layer.register_forward_hook(replace)
        with torch.no_grad():
            logits.append(model(image)[0])
        hook.remove()
    return torch.stack(logits)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in MODELS if kind != "resnet18"])
def test_variants_run_together_equal_those_that_run_one_by_one(kind):
    model, image = MODELS[kind](), images_of(kind)
    variants = variants_of(model, image, 11)
    form = "tokens" if kind == "vit" else "last" if kind.startswith("swin") else "first"
    theirs = one_by_one(model, image, variants, form)
    assert theirs.std(dim=0).min() > 0
    for fold in (True, False):
        engine = Engine(model, fold=fold)
        ours = run_head(engine, image, lambda first, last: variants[first:last], 11)
        assert far(ours, theirs) < 1e-5
    with torch.no_grad():
        assert far(ours[:1], model(image)) < 1e-5
    assert not any(part._forward_hooks for part in model.modules())


@pytest.mark.parametrize("kind", ["dense", "vit", "flattened"])
def test_parts_do_not_change_what_comes_out(kind, monkeypatch):
    model, image, asked = MODELS[kind](), images_of(kind), []
    variants = variants_of(model, image, 37)

    def make(first, last):
        asked.append((first, last))
        return variants[first:last]

    whole = run_head(Engine(model), image, make, 37)
    assert asked[1:] == [(0, 37)]
    asked.clear()
    monkeypatch.setattr(xaibench.core.passes.head, "_MOST_ROWS", 16)
    assert torch.equal(run_head(Engine(model), image, make, 37), whole)
    assert asked[1:] == [(0, 16), (16, 32), (32, 37)]


def test_the_trunk_sees_one_image_and_no_graph_is_kept():
    model, seen = model_of("dense"), []
    engine = Engine(model)
    conv = engine.fast(IMAGES).network.stem[0]
    conv.register_forward_hook(lambda _, __, output: seen.append(len(output)))
    variants = variants_of(model, IMAGES[:1], 5)
    logits = run_head(engine, IMAGES[:1], lambda first, last: variants[first:last], 5)
    assert seen == [1]
    assert not logits.requires_grad
    assert not logits.is_inference()


def test_variants_follow_the_precision_and_come_back_in_full():
    model, image = model_of("dense"), IMAGES[:1]
    variants = variants_of(model, image, 5)
    full, half = (
        run_head(Engine(model, precision=p), image, lambda first, last: variants[first:last], 5)
        for p in ("fp32", "bf16")
    )
    assert half.dtype == torch.float32
    assert 1e-5 < far(half, full) < 0.1


@pytest.mark.parametrize(
    ("kind", "pooled", "linear"),
    [
        ("one layer", True, True),
        ("no bias", True, True),
        ("two linear layers", True, True),
        ("two layers", True, False),
        ("two layers without biases", True, False),
        ("absolute values", True, False),
        ("max pooling", False, False),
        ("flattened", False, False),
        ("a functional ReLU", False, False),
        ("a ReLU in place", False, False),
        ("the image itself", False, False),
    ],
)
def test_a_head_is_found_out_by_what_it_does(kind, pooled, linear):
    head = find_head(net(kind), IMAGES)
    assert head.pooled == pooled
    assert (head.weights is not None) == linear


@pytest.mark.parametrize("threads", [1, 2])
def test_a_head_that_writes_into_its_input_is_found_out_with_any_number_of_threads(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)  # full blocks, which are filled up in a copy, depend on it
    try:
        head = find_head(net("a ReLU in place"), IMAGES)
    finally:
        torch.set_num_threads(before)
    assert not head.pooled
    assert head.weights is None


@pytest.mark.parametrize(
    ("kind", "pooled", "linear"),
    [
        ("resnet18", True, True),
        ("mobilenet_v3_small", True, False),
        ("squeezenet1_1", False, False),
        ("dense", False, False),
        ("early", False, False),
        ("flattened", False, False),
        ("vit", False, False),
        ("swin", False, False),  # there is a layer norm behind it
        ("swin's norm", True, True),
    ],
)
def test_heads_of_known_networks(kind, pooled, linear):
    head = find_head(MODELS[kind](), images_of(kind))
    assert head.alone
    assert head.pooled == pooled
    assert (head.weights is not None) == linear


@pytest.mark.slow
def test_weights_are_the_last_layers_own():
    model = model_of("resnet18")
    weights = find_head(model, IMAGES).weights
    assert far(weights, model.network.fc.weight.detach()) < 1e-5
    model = net("two linear layers")
    first, second = model.network.parts
    expected = second.weight.detach() @ first.weight.detach()
    assert far(find_head(model, IMAGES).weights, expected) < 1e-5


@pytest.mark.parametrize("scale", [1e-2, 1e2])
@pytest.mark.parametrize("part", ["weight", "bias"])
def test_the_scale_of_a_head_does_not_hide_what_it_is(scale, part):
    for kind, linear in (("one layer", True), ("two layers without biases", False)):
        model = net(kind)
        with torch.no_grad():
            values = getattr(model.network.parts[-1], part)
            if values is not None:
                values *= scale
        head = find_head(model, IMAGES)
        assert head.pooled
        assert (head.weights is not None) == linear


@pytest.mark.parametrize("rows", [slice(0, 1), slice(None)], ids=["one-class", "all-classes"])
def test_a_class_that_nothing_moves_is_no_reason_to_fail(rows):
    model = net("one layer")
    with torch.no_grad():
        model.network.parts[0].weight[rows] = 0
    head = find_head(model, IMAGES)
    assert head.weights is None or far(head.weights, model.network.parts[0].weight) < 1e-5
    method = bind("method", "ablationcam")
    tape = Tape(Engine(model), IMAGES, words_of([method]))
    maps = method(Question(tape, torch.arange(2), torch.tensor([0, 1]), seeds=[0, 1]))
    assert maps.isfinite().all()
    assert not maps[0].any()
    assert maps[1].any() == (rows == slice(0, 1))


class CountsFirst(nn.Module):
    """The way of many tutorials: the batch's size is read before the trunk, and used behind it."""

    def __init__(self):
        super().__init__()
        self.trunk, self.fc = trunk(), linear()

    def forward(self, images):
        count = images.shape[0]
        pooled = nn.functional.adaptive_avg_pool2d(self.trunk(images), 1)
        return self.fc(pooled.view(count, -1))


class Joins(nn.Module):
    """Another branch of the image joins behind the layer; its batch must be the variants'."""

    def __init__(self):
        super().__init__()
        self.trunk, self.aside, self.fc = trunk(), nn.Conv2d(3, 4, 3), linear(16)

    def forward(self, images):
        aside = self.aside(images).mean(dim=(2, 3))
        return self.fc(torch.cat([self.trunk(images).mean(dim=(2, 3)), aside], dim=1))


class Gated(Joins):
    """Another branch weighs the channels: each image has weights of its own."""

    def forward(self, images):
        gate = self.aside(images).mean(dim=(2, 3)).repeat(1, 3).exp()
        return self.fc(nn.functional.pad(self.trunk(images).mean(dim=(2, 3)) * gate, (0, 4)))


class Folds(CountsFirst):
    """With one image and many variants it gives one row: their mixture."""

    def forward(self, images):
        found = self.trunk(images)
        return self.fc(found.reshape(len(images), -1, 12, 8 * 12).mean(dim=(1, 3)))


@pytest.mark.parametrize("network", [CountsFirst, Joins, Folds])
def test_networks_that_do_not_take_more_variants_than_images_get_as_many(network):
    torch.manual_seed(0)
    model, image = wrap(calibrated(network()), "trunk"), IMAGES[:1]
    variants = variants_of(model, image, 11)
    ours = run_head(Engine(model), image, lambda first, last: variants[first:last], 11)
    assert far(ours, one_by_one(model, image, variants, "first")) < 1e-5
    head = find_head(model, IMAGES)
    assert not head.alone
    if network is Folds:  # it counts places, too
        assert not head.pooled
    else:
        assert far(head.weights, model.network.fc.weight[:, :12].detach()) < 1e-5


def test_weights_that_each_image_has_for_itself_are_nobodys():
    torch.manual_seed(0)
    model = wrap(calibrated(Gated()), "trunk")
    head = find_head(model, IMAGES)
    assert head.pooled
    assert head.weights is None
    variants = variants_of(model, IMAGES[:1], 11)
    ours = run_head(Engine(model), IMAGES[:1], lambda first, last: variants[first:last], 11)
    assert far(ours, one_by_one(model, IMAGES[:1], variants, "first")) < 1e-5


@pytest.mark.slow
def test_a_head_is_found_once_for_each_layer_and_size_and_forgotten_with_its_model():
    calls, model = [], net("one layer")
    model.network.trunk.register_forward_hook(lambda *_: calls.append(1))
    head = find_head(model, IMAGES)
    found = len(calls)
    assert find_head(model, noise(5, 3, 64, 96)) is head
    assert len(calls) == found > 0
    assert find_head(model, noise(1, 3, 48, 48)) is not head
    model.cam_layer = "network.trunk.2"  # a convolution lies behind it
    assert head.weights is not None
    assert find_head(model, IMAGES).weights is None
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_the_images_have_no_say_in_what_is_found():
    dark, bright = (find_head(net("two layers"), level * IMAGES) for level in (0.0, 1.0))
    assert dark == bright
    a, b = (find_head(net("one layer"), level * IMAGES).weights for level in (0.0, 1.0))
    assert torch.equal(a, b)


def test_finding_a_head_leaves_the_model_and_the_callers_random_numbers_alone():
    model = model_of("mobilenet_v3_small")
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    find_head(model, IMAGES)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(part._forward_hooks for part in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
