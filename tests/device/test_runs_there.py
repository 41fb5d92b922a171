"""Runs on the pretend GPU: training in each precision, waits, resumption, what is left behind."""

import math

import pytest
import torch

import xaibench
from xaibench.checks.networks import make_network
from xaibench.core.errors import XaibenchError
from xaibench.core.maps import finish
from xaibench.core.overlap import _kth_highest, ascending
from xaibench.core.passes.device import choose_device, repeatable, training_precision
from xaibench.core.passes.float32 import exact_float32
from xaibench.results.sealed import write_sealed
from xaibench.setup.devices import check_device
from xaibench.setup.options import make_options
from xaibench.setup.selection import select
from xaibench.training.checkpoint import pack
from xaibench.training.train import Trainer

GPU = torch.device("cuda", 0)


@pytest.fixture
def trainer_of(small, tmp_path):
    def make(**changed):
        given = {**small, "models": ("pocket_saliency",), "train_batch_size": 8, "device": "cuda"}
        selection = select({**given, "recipe": "strong", "out": str(tmp_path), **changed})
        model = selection.build(selection.models[0], seed=0)
        return Trainer(
            model, selection.loader, selection.split(0), selection.options, seed=0, device=GPU
        )

    return make


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["auto", "fp32", "tf32", "bf16", "fp16"])
def test_a_step_makes_the_cpu_wait_for_nothing(machine, trainer_of, precision):
    trainer = trainer_of(train_precision=precision)
    assert trainer.precision == ("bf16" if precision == "auto" else precision)
    with repeatable(GPU):
        trainer._epoch(0)
        machine.forget()
        row = trainer._epoch(1)
    assert all(map(math.isfinite, row.values()))
    # Under TF32 those of steps are, there and back; those of augmentation and validation never.
    rounded, convolutions = machine.rounded, machine.kernels["convolution_backward"]
    there, back = (
        sum(n for name, n in rounded.items() if name.startswith(f"{operation} at"))
        for operation in ("convolution", "convolution_backward")
    )
    assert there == back == convolutions * (precision == "tf32"), rounded
    assert bool(rounded) == (precision == "tf32")
    assert not any("augment" in name for name in rounded)
    steps = len(trainer.feed.chunks(1))
    assert machine.kernels["_fused_adamw_"] == steps
    # The scaler asks once a step whether a gradient has overflowed; an epoch's averages are read.
    assert machine.waits.total() <= 8 + steps * (precision == "fp16"), machine.waits


@pytest.mark.slow
def test_resumed_there_it_ends_as_uninterrupted(machine, trainer_of, tmp_path):
    whole, stopped, again = (trainer_of(epochs=3, train_precision="fp16") for _ in range(3))
    whole.train(tmp_path / "a", "a", "a")
    stopped._epoch(0)
    (tmp_path / "b").mkdir()
    write_sealed(tmp_path / "b" / "checkpoint.pt", pack(stopped._state_to_store("b")))
    again.train(tmp_path / "b", "b", "b")
    assert len(again.state.history) == 3
    pairs = zip(whole.model.parameters(), again.model.parameters(), strict=True)
    assert all(torch.equal(one.cpu(), other.cpu()) for one, other in pairs)


@pytest.mark.slow
def test_a_run_there_rounds_nothing_and_leaves_the_process_as_it_was(machine, small, tmp_path):
    torch.set_float32_matmul_precision("high")
    given = {**small, "device": "cuda", "methods": ("gradcam", "gradient"), "controls": True}
    try:
        found = xaibench.run(**given, out=str(tmp_path), train_precision="fp32", analyses=("pca",))
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert not found.failures
    assert not machine.rounded
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.allow_tf32


def test_devices_are_asked_of_the_machine_that_computes(machine):
    assert choose_device("auto") == choose_device("cuda") == GPU
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(XaibenchError, match="there are only 2 CUDA devices"):
        choose_device("cuda:2")
    with pytest.raises(XaibenchError, match="--replicas 3: only 2 CUDA devices are here"):
        check_device(make_options({"replicas": 3}, {}))
    machine.gpus = 0
    with pytest.raises(XaibenchError, match="no CUDA device was found"):
        check_device(make_options({"device": "cuda"}, {}))
    # A cluster's head need not have one.
    cluster = {"device": "cuda", "executor": "ray", "address": "auto", "precision": "bf16"}
    check_device(make_options(cluster, {}))


def test_bfloat16_is_what_a_gpu_has_and_not_what_it_emulates(machine):
    assert training_precision(GPU, "auto") == "bf16"
    machine.capability = (7, 5)
    assert training_precision(GPU, "auto") == "fp32"
    with pytest.raises(XaibenchError, match="has no instructions for it; take fp16 or fp32"):
        training_precision(GPU, "bf16")


def test_maps_of_other_devices_are_sorted_where_they_are():
    # As those of MPS and XPU: neither on the CPU nor on CUDA.
    elsewhere = torch.rand(2, 6, device="meta")
    assert ascending(elsewhere).is_meta
    assert _kth_highest(elsewhere, torch.ones(2, dtype=torch.long, device="meta")).is_meta


def test_maps_are_finished_in_few_kernels_and_one_wait(machine):
    raw = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(0)) - 0.3
    raw[1] = 2.0
    there = raw.cuda()
    machine.forget()
    with repeatable(GPU):
        found, statuses = finish(there, (24, 32))
    assert machine.waits.total() == 1
    assert machine.kernels.total() <= 42
    here, expected = finish(raw, (24, 32))
    assert statuses == expected == ["ok", "constant map", "ok"]
    assert torch.equal(found.cpu(), here)


@pytest.mark.slow
def test_under_tf32_passes_are_rounded_there_and_back_and_nothing_beside_them(machine):
    network, images = make_network("conv").to(GPU), torch.rand(2, 3, 24, 32)
    for method, operations in {
        "gradient": {"convolution", "convolution_backward", "addmm", "mm"},
        "scorecam": {"convolution", "addmm"},
    }.items():
        machine.forget()
        xaibench.Explainer(network, precision="tf32")(images, 0, method)
        met = {tuple(name.split(" at ")) for name in machine.rounded}
        assert {operation for operation, _ in met} == operations
        assert not {place for _, place in met if place.startswith(("methods/", "core/maps"))}
    machine.capability = (7, 5)
    with pytest.raises(XaibenchError, match="tf32: only NVIDIA GPUs from Ampere on"):
        training_precision(GPU, "tf32")


def test_float32_is_exact_only_inside(machine):
    there = torch.ones(2, 2, device="cuda")
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    try:
        with exact_float32():
            there @ there
        assert not machine.rounded
        there @ there
        assert machine.rounded.total() == 1
    finally:
        torch.backends.cuda.matmul.fp32_precision = "ieee"
