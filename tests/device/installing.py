"""Putting the pretend GPU into torch, and taking it out again."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import SimpleNamespace
from unittest.mock import patch

import pretend
import torch
from pretend import Casting, Machine, Pretending
from torch.utils._pytree import tree_map


@contextmanager
def installed(gpus: int = 1, **about) -> Iterator[Machine]:
    """Make this process believe in GPUs; afterwards torch is what it was."""
    before, pretend.machine = pretend.machine, Machine(gpus, **about)
    torch._C._ensureCUDADeviceGuardSet()  # a guard that does nothing stays
    with ExitStack() as stack:
        for name, stand_in in _stand_ins(pretend.machine).items():
            stack.enter_context(patch.object(torch.cuda, name, stand_in))
        stack.enter_context(patch.object(torch, "load", partial(_load, torch.load)))
        absent = (torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
        stack.enter_context(patch.object(*absent))
        lifting = torch._C._only_lift_cpu_tensors()
        stack.callback(torch._C._set_only_lift_cpu_tensors, lifting)
        torch._C._set_only_lift_cpu_tensors(True)
        stack.enter_context(torch.autograd.set_multithreading_enabled(False))
        stack.enter_context(Casting())
        stack.enter_context(Pretending())
        try:
            yield pretend.machine
        finally:
            pretend.machine = before


def _load(load, file, map_location=None, **options):
    found = load(file, map_location="cpu", **options)
    return tree_map(lambda each: each.to(map_location) if torch.is_tensor(each) else each, found)


def _stand_ins(machine: Machine) -> dict[str, object]:
    """Return what takes the place of functions of `torch.cuda`."""

    def set_device(device):
        machine.current = machine.number(device)

    def seed_all(seed):
        for number in range(machine.gpus):
            machine.generator(number).manual_seed(seed)

    class Chosen:
        def __init__(self, device):
            self.number = machine.number(device)

        def __enter__(self):
            self.before, machine.current = machine.current, self.number

        def __exit__(self, *_):
            machine.current = self.before

    properties = SimpleNamespace(
        name="Pretend GPU", major=machine.capability[0], minor=machine.capability[1],
        total_memory=machine.total, multi_processor_count=132,
    )  # fmt: skip
    return {
        "is_available": lambda: machine.gpus > 0,
        "is_initialized": lambda: True,
        "is_bf16_supported": lambda including_emulation=True: (
            including_emulation or machine.capability >= (8, 0)
        ),
        "device_count": lambda: machine.gpus,
        "current_device": lambda: machine.current,
        "set_device": set_device,
        "device": Chosen,
        "get_device_name": lambda device=None: f"Pretend GPU {machine.number(device)}",
        "get_device_capability": lambda _device=None: machine.capability,
        "get_device_properties": lambda _device=None: properties,
        "synchronize": lambda _device=None: machine.wait(),
        "empty_cache": lambda: None,
        "mem_get_info": lambda _device=None: (machine.free, machine.total),
        "max_memory_allocated": lambda _device=None: 0,
        "memory_allocated": lambda _device=None: 0,
        "reset_peak_memory_stats": lambda _device=None: None,
        "manual_seed": lambda seed: machine.generator().manual_seed(seed),
        "manual_seed_all": seed_all,
        "get_rng_state": lambda device=None: machine.generator(device).get_state(),
        "set_rng_state": lambda state, device=None: machine.generator(device).set_state(state),
        "_lazy_init": lambda: None,
        "_lazy_call": lambda _call, **_options: None,
        "_is_in_bad_fork": lambda: False,
    }
