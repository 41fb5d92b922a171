"""Which device computes, in which precision, and how the process is left behind."""

import os

import pytest
import torch

import xaibench
from xaibench.checks.networks import make_network
from xaibench.core.errors import XaibenchError
from xaibench.core.passes import processor
from xaibench.core.passes.device import check_precision, repeatable, training_precision
from xaibench.executors import machine
from xaibench.setup.devices import check_device
from xaibench.setup.options import RunOptions, make_options

CPU = torch.device("cpu")


def test_half_precision_is_refused_where_the_processor_would_emulate_it(monkeypatch):
    known = {"cpu_name": "Old CPU", "avx512_bf16": False, "amx_bf16": False, "avx2": True}
    monkeypatch.setattr(processor, "_capabilities", lambda: known)
    for option, ask in (
        ("--precision", lambda: check_precision(CPU, "bf16")),
        ("--train-precision", lambda: training_precision(CPU, "bf16")),
    ):
        with pytest.raises(XaibenchError, match=rf"{option} bf16: this processor \(Old CPU\) has"):
            ask()
    check_precision(CPU, "fp32")
    known["avx512_bf16"] = True
    check_precision(CPU, "bf16")
    with pytest.raises(XaibenchError, match="--precision fp16"):
        check_precision(CPU, "fp16")
    known.clear()  # torch can't tell
    check_precision(CPU, "fp16")


def test_tf32_is_refused_where_there_is_none():
    asks = {
        "--precision": lambda: check_device(make_options({"precision": "tf32"}, {})),
        "--train-precision": lambda: check_device(make_options({"train_precision": "tf32"}, {})),
        "precision": lambda: xaibench.Explainer(make_network("conv"), precision="tf32")(
            torch.rand(1, 3, 24, 32)
        ),
    }
    for option, ask in asks.items():
        with pytest.raises(XaibenchError, match=f"^{option} tf32: only NVIDIA GPUs from Ampere on"):
            ask()


def test_the_cpu_trains_in_float32_unless_told_otherwise():
    assert RunOptions.train_precision == "auto"
    assert training_precision(CPU, "auto") == "fp32"


def test_devices_are_named_as_torch_names_them():
    for name in ("auto", "cpu", "cuda", "cuda:1"):
        assert make_options({"device": name}, {}).device == name
    for name in ("gpu", "cuda:", "cuda:-1", "mps"):
        with pytest.raises(XaibenchError, match="choose auto, cpu, cuda or cuda:NUMBER"):
            make_options({"device": name}, {})
    for beside in ({"executor": "processes"}, {"replicas": 2}):
        with pytest.raises(XaibenchError, match="workers and replicas have a GPU each"):
            make_options({"device": "cuda:1", **beside}, {})


def test_gpus_after_one_that_is_none_are_no_longer_visible(monkeypatch):
    for said, there in (("0,-1,1", ["0"]), ("", []), ("-1", []), (" 1, GPU-ab", ["1", "GPU-ab"])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
        assert machine.visible_gpus() == there, said


def test_what_is_computed_repeatably_leaves_the_process_as_it_was(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    torch.backends.cudnn.benchmark = True
    try:
        with repeatable(torch.device("cuda", 0)):
            assert torch.are_deterministic_algorithms_enabled()
            assert torch.is_deterministic_algorithms_warn_only_enabled()
            assert not torch.backends.cudnn.benchmark
            assert not torch.backends.cudnn.allow_tf32
        assert not torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.benchmark
        assert torch.backends.cudnn.allow_tf32
        assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    finally:
        torch.backends.cudnn.benchmark = False
