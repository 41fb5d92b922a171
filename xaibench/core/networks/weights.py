"""First weights of networks: trained on ImageNet, or from a file."""

import logging
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.files import check_plain_file, is_file
from xaibench.core.networks.sources import source_of

_log = logging.getLogger(__name__)

_SECOND_HEAD = ("AuxLogits.", "aux1.", "aux2.")
# DenseNet's weights were stored under names that torch no longer allows.
_OLD_NAME = re.compile(r"(denselayer\d+\.(?:norm|conv))\.(?=[12]\.)")


def load_weights(network: nn.Module, name: str, weights: str, size: int = 0) -> None:
    """Load the weights that fit into a network; the log names the others.

    Args:
        network: its head possibly replaced.
        name: by which it is known (`sources`).
        weights: ``none``, ``imagenet`` or the path of a state dict.
        size: as `read_weights`.

    Raises:
        XaibenchError: they can't be had, or belong to another architecture.
    """
    if weights != "none":
        origin = f"ImageNet weights of {name}" if weights == "imagenet" else weights
        _load(network, read_weights(name, weights, size), origin)


def read_weights(name: str, weights: str, size: int = 0) -> dict[str, Tensor]:
    """Return the ``imagenet`` weights that a network's library has, or a file's state dict.

    Args:
        name: by which the network is known.
        weights: ``imagenet`` or the path of a state dict.
        size: side of the images, for networks that are built for one size; 0 keeps their own.

    Raises:
        XaibenchError: they can't be had.
    """
    if weights == "imagenet":
        source, own = source_of(name)
        state = source.fetch_weights(own, size)
    else:
        state = _weights_file(Path(weights))
    return {_OLD_NAME.sub(r"\1", key): value for key, value in state.items()}


def load_tensors(path: Path, name: str, remedy: str) -> Any:
    """Return what a file of ``torch.save`` holds: tensors, numbers and texts, never objects.

    Args:
        path: the file.
        name: what messages call it.
        remedy: what to do where it can't be used.

    Raises:
        XaibenchError: it is damaged, or holds what may be code; nothing of that is run.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # it guesses at what the error says as well
            check_plain_file(path)
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        # Torch's own words advise to load it none the less.
        raise XaibenchError(
            f"{name}: refused, it is no file of torch.save, or holds objects beside tensors, which "
            f"may be code; {remedy}."
        ) from error
    except Exception as error:  # damaged files raise whatever they like
        raise XaibenchError(
            f"{name}: not a whole file of torch.save ({type(error).__name__}); {remedy}."
        ) from error


def load_whole(model: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Load a state dict into a model, or into the network that it wraps; all of it must fit.

    Raises:
        XaibenchError: a tensor is missing, left over or of another shape.
    """
    wrapped = getattr(model, "network", None)
    wrong: list[str] = []
    for part in [model, wrapped] if isinstance(wrapped, nn.Module) else [model]:
        own = part.state_dict()
        given = {k: v for k, v in state.items() if k in own or not k.startswith(_SECOND_HEAD)}
        missing = [k for k in own if k not in given and not k.endswith("num_batches_tracked")]
        extra = [k for k in given if k not in own]
        other = [k for k in given if k in own and own[k].shape != given[k].shape]
        wrong = [*missing, *extra, *other]
        if not wrong:
            part.load_state_dict(given, strict=False)
            return
    raise XaibenchError(
        f"{origin}: not the whole state dict of this network; {len(wrong)} tensors are missing, "
        f"left over or of another shape, such as {wrong[0]}; give the file of this very network."
    )


def _weights_file(path: Path) -> dict[str, Tensor]:
    if not is_file(path):
        raise XaibenchError(f"--weights {path}: no such file (or choose 'imagenet' or 'none').")
    remedy = "save it with torch.save(model.state_dict(), FILE)"
    state = load_tensors(path, f"--weights {path}", remedy)
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise XaibenchError(
            f"--weights {path}: it holds no state dict (a dictionary of tensors); {remedy}."
        )
    return {str(key).removeprefix("module."): value for key, value in state.items()}


def _load(network: nn.Module, state: dict[str, Tensor], origin: str) -> None:
    """Load the tensors that fit; name the others."""
    own = network.state_dict()
    state = {k: v for k, v in state.items() if k in own or not k.startswith(_SECOND_HEAD)}
    fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    if not fitting:
        raise XaibenchError(
            f"{origin}: none of its {len(state)} tensors fits {type(network).__name__}; "
            "is it another architecture's?"
        )
    network.load_state_dict(fitting, strict=False)
    left_out = sorted(set(state) - set(fitting))
    if left_out:
        _log.warning("%s: left out, as they don't fit: %s", origin, ", ".join(left_out))
    missing = [k for k in own if k not in fitting and not k.endswith("num_batches_tracked")]
    if missing:
        _log.info("%s: start from random numbers: %s", origin, ", ".join(sorted(missing)))
