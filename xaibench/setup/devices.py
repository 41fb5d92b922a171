"""Where a run computes: asked of the machine that does, which need not be the one that plans."""

import torch

from xaibench.core.errors import XaibenchError
from xaibench.core.passes.device import check_precision, choose_device, training_precision
from xaibench.setup.options import RunOptions


def check_device(options: RunOptions) -> None:
    """Refuse at once a device or precision that this machine lacks, if it is to compute.

    Raises:
        XaibenchError: it does, or there are fewer GPUs than replicas.
    """
    if options.address:
        return
    device = choose_device(options.device)
    check_precision(device, options.precision)
    training_precision(device, options.train_precision)
    gpus = torch.cuda.device_count() if device.type == "cuda" else options.replicas
    if options.replicas > gpus:
        several = f"only {gpus} CUDA devices are" if gpus > 1 else "only one CUDA device is"
        raise XaibenchError(
            f"--replicas {options.replicas}: {several} here; take fewer, or --device cpu."
        )


def wants_gpu(options: RunOptions) -> bool | None:
    """Whether each task asks for a GPU; None: where machines of the cluster have any."""
    if not options.address:
        return choose_device(options.device).type == "cuda"
    return None if options.device == "auto" else options.device != "cpu"


def device_here(options: RunOptions) -> torch.device:
    """Return this machine's device; one that only plans may have none of the kind asked for."""
    planned = options.address and options.device != "cpu"
    return choose_device("auto" if planned else options.device)
