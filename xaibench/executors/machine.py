"""What this machine has room for, and what its workers are told of it."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import takewhile

from xaibench.executors.schedule import Resources

_log = logging.getLogger(__name__)
_VISIBLE = "CUDA_VISIBLE_DEVICES"


def count_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get(_VISIBLE)
    if named is None:
        import torch  # noqa: PLC0415 (takes seconds, and is for GPUs only)

        return [str(number) for number in range(torch.cuda.device_count())]
    # CUDA takes those before the first that it doesn't know, such as -1.
    return list(takewhile(_may_be_gpu, (name.strip() for name in named.split(","))))


def _may_be_gpu(name: str) -> bool:
    return bool(name) and not name.startswith("-")


def count_workers(resources: Resources) -> int:
    """Return how many workers there are to be, at least 1."""
    room = len(visible_gpus()) if resources.cuda else count_cores() // resources.threads
    return resources.workers or max(room, 1)


def variables_of(resources: Resources, workers: int) -> dict[str, str]:
    """Return the environment of workers; say so where their threads have to share cores."""
    threads = str(resources.threads)
    variables = {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
    }
    if workers * resources.threads > count_cores():
        _log.warning(
            "%d workers of %d threads share %d cores: fewer --workers or --threads are faster; "
            "another number of threads changes the last digits of results",
            workers,
            resources.threads,
            count_cores(),
        )
        # Threads that spin while they wait take the cores from those that work.
        variables["OMP_WAIT_POLICY"] = "passive"
    return variables


def gpu_of(resources: Resources, number: int) -> dict[str, str]:
    """Return the environment that leaves a worker one GPU, in turn; empty without any."""
    gpus = visible_gpus() if resources.cuda else []
    return {_VISIBLE: gpus[number % len(gpus)]} if gpus else {}


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment for processes that are started in the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
