import copy

import pytest
import torch
from small_nets import CLASSES, LAYERS, far, model_of, noise
from torch.nn import functional

import xaibench.core.passes.engine
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.question import Question
from xaibench.core.passes.tape import Tape

SIZE = (64, 96)
every_kind = pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.slow if kind == "resnet18" else ()) for kind in LAYERS],
)
folding = pytest.mark.parametrize("fold", [True, False], ids=["folded", "plain"])


def autograd(model, images, targets):
    leaves = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaves).gather(1, targets[:, None]).sum(), leaves)
    return gradient


def assert_same_bits(kind, fold):
    images = noise(18, 3, *SIZE)
    engine = Engine(model_of(kind), fold=fold)
    logits, confidences = engine.logits(images), engine.predict(images)
    assert torch.equal(engine.logits(images.flip(0)).flip(0), logits)
    for rows in (slice(1), slice(5, 7), slice(2, 5), slice(6, 11), slice(1, 18)):
        assert torch.equal(engine.logits(images[rows]), logits[rows])
    order = [3, 17, 0, 3]
    assert torch.equal(engine.predict(images[order]), confidences[order])


@folding
@every_kind
def test_logits_and_confidences_are_the_same_bits_in_any_batch_and_order(kind, fold):
    assert_same_bits(kind, fold)


@pytest.mark.parametrize(
    ("kind", "fold"),
    [
        ("dense", True),
        pytest.param("squeezenet1_1", True, marks=pytest.mark.slow),
    ],
)
def test_logits_are_the_same_bits_with_two_threads_too(kind, fold):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert_same_bits(kind, fold)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@every_kind
def test_records_are_the_same_bits_in_any_batch(kind, layout):
    images, targets = noise(18, 3, *SIZE), torch.arange(18) % CLASSES
    engine = Engine(model_of(kind))

    def found(rows):
        part = images[rows].contiguous(memory_format=layout)
        tape = Tape(engine, part, {"activations", "gradients"})
        gradients = tape.gradients(torch.arange(len(part)), targets[rows])
        return tape.logits[: len(part)].detach(), tape.activations, gradients

    whole = found(slice(18))
    for rows in (slice(1), slice(5, 7), slice(6, 11)):
        for ours, theirs in zip(found(rows), whole, strict=True):
            assert torch.equal(ours, theirs[rows])


@folding
def test_large_images_are_the_same_bits_in_any_batch_too(fold):
    images = noise(6, 3, 320, 384)  # fewer than sixteen at once
    engine = Engine(model_of("dense"), fold=fold)
    whole = engine.logits(images)
    assert torch.equal(torch.cat([engine.logits(part) for part in images.split(1)]), whole)


@every_kind
def test_folding_moves_logits_by_rounding_alone(kind):
    images, model = noise(3, 3, *SIZE), model_of(kind)
    ours, theirs = Engine(model).logits(images), Engine(model, fold=False).logits(images)
    with torch.no_grad():
        torch.testing.assert_close(theirs, model(images))
    assert far(ours, theirs) < 1e-4


def test_confidences_are_softmax_of_the_logits():
    model, images = model_of("dense"), noise(3, 3, 40, 56)
    confidences = Engine(model).predict(images)
    assert not confidences.requires_grad
    assert not confidences.is_inference()  # those can't be changed or take part in gradients
    torch.testing.assert_close(confidences.sum(dim=1), torch.ones(3))
    torch.testing.assert_close(confidences.log(), model(images).detach().log_softmax(dim=1))


@folding
@every_kind
def test_gradients_equal_plain_autograd(kind, fold):
    # In double precision, as a ReLU that rounding switches moves single pixels by percents.
    model, images = model_of(kind).double(), noise(5, 3, *SIZE).double()
    targets = torch.tensor([1, 3, 0, 2, 2])
    ours = Engine(model, fold=fold).gradients(images, targets)
    assert far(ours, autograd(model, images, targets)) < 1e-9
    assert not images.requires_grad


def test_gradients_of_several_copies_equal_autograd():
    model, images = model_of("dense"), noise(6, 3, 40, 56)
    targets = torch.tensor([1, 3, 0])
    theirs = autograd(model, images, torch.tensor([1, 1, 3, 3, 0, 0]))
    tape = Tape(Engine(model), images[::2], ())
    ours = Question(tape, torch.arange(3), targets, seeds=[]).differentiate(images)
    assert far(ours, theirs) < 1e-5


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_gradients_need_no_grad_mode_of_the_caller(mode):
    model, images, targets = model_of("dense"), noise(2, 3, *SIZE), torch.tensor([1, 3])
    expected, engine = autograd(model, images, targets), Engine(model)
    with mode():
        engine.logits(images)  # made here, the folded copy must serve everywhere
        inside = engine.gradients(images, targets)
    assert far(inside, expected) < 1e-5
    assert far(engine.gradients(images, targets), expected) < 1e-5


def test_gradients_are_made_in_parts_that_do_not_change_them():
    model, images = model_of("dense"), noise(40, 3, 24, 32)
    targets, engine = torch.arange(40) % CLASSES, Engine(model)
    whole = engine.gradients(images, targets)
    engine.batch_size(images, graph=True).size = 16
    assert torch.equal(engine.gradients(images, targets), whole)


def test_a_stream_asks_for_consecutive_parts_of_the_whole_range():
    images, asked = noise(37, 3, 24, 32), []
    engine = Engine(model_of("dense"))

    def make(first, last):
        asked.append((first, last))
        return images[first:last]

    whole = engine.logits(images)
    engine.batch_size(images).size = 16
    assert torch.equal(engine.stream(make, 37, images), whole)
    assert asked == [(0, 16), (16, 32), (32, 37)]


def test_a_stream_that_runs_out_of_memory_gives_the_same_logits():
    images, most = noise(37, 3, 24, 32), 30
    engine = Engine(model_of("dense"))

    def make(first, last):
        if last - first > most:
            raise MemoryError
        return images[first:last]

    whole = engine.logits(images)
    assert torch.equal(engine.stream(make, 37, images), whole)
    assert engine.batch_size(images).size == 16
    most = 5
    torch.testing.assert_close(engine.stream(make, 37, images), whole)
    assert engine.batch_size(images).size == 4


@pytest.mark.parametrize("graph", [True, False])
def test_smaller_images_are_seen_more_at_once(graph):
    engine = Engine(model_of("dense"), full_blocks=False)
    sizes = [
        engine.batch_size(torch.zeros(1, 3, side, side), graph=graph).size
        for side in (32, 112, 224, 448, 2000)
    ]
    assert sizes == ([256, 32, 8, 4, 4] if graph else [256, 64, 16, 4, 4])


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_gives_float32_that_differ_and_are_close(precision):
    model, images, targets = model_of("dense"), noise(3, 3, *SIZE), torch.tensor([1, 3, 0])
    full, half = Engine(model), Engine(model, precision=precision)

    def found(engine):
        tape = Tape(engine, images, {"activations", "gradients"})
        rows = torch.arange(3)
        return {
            "logits": engine.logits(images),
            "tape's logits": tape.logits[:3].detach(),
            "confidences": engine.predict(images),
            "activations": tape.activations,
            "activations' gradients": tape.gradients(rows, targets),
            "gradients": engine.gradients(images, targets),
        }

    for (name, ours), theirs in zip(found(half).items(), found(full).values(), strict=True):
        assert ours.dtype == torch.float32, name
        # On average, as a ReLU that is switched by rounding changes single places altogether.
        change = (ours - theirs).abs().mean() / theirs.abs().mean()
        assert 1e-6 < change < 0.1, name


def test_confidences_of_half_precision_are_softmaxed_in_full():
    images = noise(3, 3, *SIZE)
    engine = Engine(model_of("dense"), precision="bf16")
    expected = functional.softmax(engine.logits(images).double(), dim=1)
    torch.testing.assert_close(engine.predict(images).double(), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("count", [1, 16, 37])
def test_compiled_passes_are_all_of_one_size(count, monkeypatch):
    shapes = []

    def compile_network(network, images):
        def run(images):
            shapes.append(len(images))
            return network(images)

        return run

    monkeypatch.setattr(xaibench.core.passes.engine, "compile_network", compile_network)
    images = noise(count, 3, 24, 32)
    model = model_of("dense")
    engine = Engine(model, compiled=True)
    engine.batch_size(images).size = 16
    torch.testing.assert_close(engine.logits(images), Engine(model).logits(images))
    assert shapes == [16] * -(-count // 16)


def test_compiled_passes_over_large_images_are_of_one_size(monkeypatch):
    monkeypatch.setattr(xaibench.core.passes.engine, "compile_network", lambda network, _: network)
    images, model = noise(3, 3, 500, 500), model_of("dense")
    ours = Engine(model, compiled=True).logits(images)
    torch.testing.assert_close(ours, Engine(model).logits(images))


@folding
@every_kind
def test_the_model_is_left_as_it_was(kind, fold):
    model, images, targets = model_of(kind), noise(3, 3, *SIZE), torch.tensor([1, 3, 0])
    next(model.parameters()).requires_grad_(requires_grad=False)
    before, pixels, values = copy.deepcopy(model), images.clone(), dict(model.named_parameters())
    engine = Engine(model, fold=fold)
    engine.predict(images)
    engine.gradients(images, targets)
    tape = Tape(engine, images, {"activations", "gradients"})
    tape.gradients(torch.arange(3), targets)
    assert torch.equal(images, pixels)
    assert dict(model.named_parameters()) == values
    for (name, old), (other, new) in zip(
        before.named_modules(), model.named_modules(), strict=True
    ):
        assert (name, type(old), old.training) == (other, type(new), new.training)
        hooks = (new._forward_hooks, new._forward_pre_hooks, new._backward_hooks)
        assert not any(hooks), name
    for (name, old), (other, new) in zip(
        before.state_dict().items(), model.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(old, new), name
        assert old.stride() == new.stride(), name
    for old, new in zip(before.parameters(), model.parameters(), strict=True):
        assert old.requires_grad == new.requires_grad
        assert new.grad is None
