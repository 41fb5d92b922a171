"""Ranges of a run's options, and options that stand for others."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from xaibench.core.contract import CHECKPOINT
from xaibench.core.errors import XaibenchError
from xaibench.core.spec import add_option
from xaibench.setup.option_values import flag

if TYPE_CHECKING:
    from xaibench.setup.options import RunOptions

NO_METHODS = "none"
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")
_LOWEST = {
    "split_seed": 0, "mask_fraction": 0, "train_fraction": 0, "epochs": 1, "train_batch_size":
    2, "image_size": 32, "batch_size": 1, "limit": 0, "replicas": 1, "workers": 0, "threads": 0,
    "part_size": 1, "fresh_rate": 0, "weight_decay": 0, "label_smoothing": 0, "ema": 0,
    "margin": 0,
}  # fmt: skip
# Seeds as numpy takes them; a square of that side is 200 MB as numbers.
_HIGHEST = {
    "mask_fraction": 1, "train_fraction": 1, "image_size": 4096, "split_seed": 2**32 - 1,
    "label_smoothing": 1, "ema": 0.9999, "fresh_rate": 1000, "weight_decay": 1,
    "margin": 10**6,
}  # fmt: skip


def check_ranges(options: "RunOptions") -> None:
    """Refuse numbers that are out of range.

    Raises:
        XaibenchError: one is.
    """
    for name, lowest in _LOWEST.items():
        if not getattr(options, name) >= lowest:  # nan is neither
            raise XaibenchError(f"{flag(name)} {getattr(options, name)}: at least {lowest}.")
    for name, highest in _HIGHEST.items():
        if getattr(options, name) > highest:
            raise XaibenchError(f"{flag(name)} {getattr(options, name)}: at most {highest}.")
    for seed in options.seeds:
        if not 0 <= seed <= _HIGHEST["split_seed"]:
            raise XaibenchError(f"--seeds {seed}: from 0 to {_HIGHEST['split_seed']}.")


def check_device_name(options: "RunOptions") -> None:
    """Refuse what is no device, and a numbered one where each worker has a GPU to itself.

    Raises:
        XaibenchError: it is.
    """
    name = options.device
    if not _DEVICE.fullmatch(name):
        raise XaibenchError(f"--device {name}: choose auto, cpu, cuda or cuda:NUMBER.")
    if ":" in name and (options.executor != "serial" or options.replicas > 1):
        raise XaibenchError(
            f"--device {name}: workers and replicas have a GPU each; take --device cuda, and name "
            "GPUs in CUDA_VISIBLE_DEVICES."
        )


def check_lists(options: "RunOptions") -> None:
    """Refuse lists of names that are empty where one is needed, or repeat a name.

    Raises:
        XaibenchError: one is.
    """
    for name in ("methods", "models", "metrics", "seeds", "analyses"):
        chosen = getattr(options, name)
        # Analyses can run without methods; they ask for no method and no metric.
        needed = name in ("models", "seeds") or not options.analyses
        if not chosen and needed and name != "analyses":
            raise XaibenchError(f"{flag(name)}: name at least one.")
        if len(set(chosen)) < len(chosen):
            raise XaibenchError(f"{flag(name)}: {', '.join(map(str, chosen))} repeats a name.")


def stand_for(options: "RunOptions") -> "RunOptions":
    """Return the options that some stand for: --methods none, and --checkpoint FILE.

    Raises:
        XaibenchError: a checkpoint is given where nothing can take it.
    """
    if options.methods == (NO_METHODS,):
        options = replace(options, methods=(), metrics=(), controls=False)
    return _with_checkpoint(options)


def _with_checkpoint(options: "RunOptions") -> "RunOptions":
    """Return options whose model names the checkpoint itself, as ``--checkpoint`` stands for.

    Raises:
        XaibenchError: there are several models, or they are to be trained on.
    """
    file = options.checkpoint
    if not file:
        return options
    if len(options.models) > 1:
        raise XaibenchError(
            f"--checkpoint {file}: which of {', '.join(options.models)} is it? Name one model, or "
            "give each its own as NAME[checkpoint=FILE]."
        )
    if options.train:
        raise XaibenchError(
            f"--checkpoint {file}: it is evaluated as it is, so that it goes with --no-train; to "
            "train on from it give --weights FILE."
        )
    model = add_option(options.models[0], CHECKPOINT, file)
    return replace(options, models=(model,), checkpoint="")
