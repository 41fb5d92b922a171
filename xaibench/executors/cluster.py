"""The Ray cluster: one that runs, or a local one for as long as it is needed."""

import logging
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace

import ray

from xaibench.core.errors import XaibenchError
from xaibench.executors.inside_ray import quiet_workers
from xaibench.executors.machine import count_workers, environment, variables_of
from xaibench.executors.schedule import Resources

_log = logging.getLogger(__name__)
_PATIENCE = 10.0  # seconds for the head of a cluster to answer; Ray itself would try for minutes


@contextmanager
def connected(resources: Resources) -> Iterator[bool]:
    """Be connected to a cluster in the block; a connection that is already is used, and stays.

    Gives whether the connection is made here.

    Raises:
        XaibenchError: the cluster can't be reached, or has no room for a single task.
    """
    if ray.is_initialized():
        yield False
        return
    stop = signal.getsignal(signal.SIGTERM)
    with quiet_workers():
        try:
            _connect(resources)
            with suppress(ValueError):  # not the main thread: Ray hasn't put its own there either
                signal.signal(signal.SIGTERM, stop)
            _check_room(settled(resources))
            yield True
        finally:
            ray.shutdown()


def settled(resources: Resources) -> Resources:
    """Return resources that ask for GPUs or not, as the cluster has any."""
    if resources.cuda is not None:
        return resources
    there = any(node["Resources"].get("GPU") for node in ray.nodes() if node["Alive"])
    return replace(resources, cuda=there)


def room_for(resources: Resources) -> int:
    """Return how many tasks the cluster can do at once, as it is now."""
    return sum(_room_on(node["Resources"], resources) for node in ray.nodes() if node["Alive"])


def _room_on(there: Mapping[str, float], resources: Resources) -> int:
    room = int(there.get("CPU", 0)) // resources.threads
    return min(room, int(there.get("GPU", 0))) if resources.cuda else room


def _connect(resources: Resources) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not resources.address:
        workers = count_workers(resources)
        with environment(variables_of(resources, workers)):
            ray.init(
                "local", num_cpus=workers * resources.threads, include_dashboard=False, **quiet
            )
        return
    _check_address(resources.address)
    try:
        ray.init(resources.address, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        raise XaibenchError(
            f"--address {resources.address}: no Ray cluster can be reached from here "
            f"({' '.join(str(error).split())}); start one with `ray start`."
        ) from error


def _check_address(address: str) -> None:
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "/" in host or not host or not port.isdecimal():
        raise XaibenchError(
            f"--address {address}: write auto, or host:port of the cluster's head, and run this on "
            "one of its machines."
        )
    try:
        socket.create_connection((host, int(port)), _PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise XaibenchError(
            f"--address {address}: nobody answers there ({error}); choose the address that "
            "`ray start --head` printed."
        ) from error


def _check_room(resources: Resources) -> None:
    if room_for(resources):
        return
    several, gpu = "s" * (resources.threads > 1), " and a GPU" * bool(resources.cuda)
    need = f"{resources.threads} CPU{several}{gpu}"
    if not resources.address:
        raise XaibenchError(f"--executor ray: this machine lacks {need} for a task.")
    _log.warning("no machine of the cluster has %s for a task: waiting for one to join", need)
