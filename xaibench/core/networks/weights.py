"""First weights of networks: trained on ImageNet, or from a file."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.files import is_file
from xaibench.core.networks.channels import fits_spread, spread
from xaibench.core.networks.checkpoint_file import named_as, read_checkpoint
from xaibench.core.networks.from_timm import fit_positions
from xaibench.core.networks.sources import TIMM, source_of

_log = logging.getLogger(__name__)

_SHOWN = 2
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
        state = read_weights(name, weights, size)
        if name.startswith(TIMM):
            state = dict(fit_positions(network, named_as(state, network.state_dict())))
        _load(network, state, origin)


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
        if not is_file(Path(weights)):
            raise XaibenchError(
                f"--weights {weights}: no such file (or choose 'imagenet' or 'none')."
            )
        state = read_checkpoint(Path(weights), f"--weights {weights}").state
    return {_OLD_NAME.sub(r"\1", key): value for key, value in state.items()}


def load_whole(model: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Load a state dict into a model, or into the network that it wraps; all of it must fit.

    Raises:
        XaibenchError: a tensor is missing, left over or of another shape.
    """
    wrapped = getattr(model, "network", None)
    wrong: list[str] = []
    for part in [model, wrapped] if isinstance(wrapped, nn.Module) else [model]:
        own = part.state_dict()
        named = named_as(state, own)
        given = {k: v for k, v in named.items() if k in own or not k.startswith(_SECOND_HEAD)}
        missing = [k for k in own if k not in given and not k.endswith("num_batches_tracked")]
        extra = [k for k in given if k not in own]
        other = [k for k in given if k in own and own[k].shape != given[k].shape]
        wrong = [*missing, *extra, *other]
        if not wrong:
            part.load_state_dict(given, strict=False)
            return
    positions = wrong == other and all("pos" in key for key in wrong)
    remedy = "give the file of this very network"
    if positions:
        remedy = "choose the --image-size that it has seen"
    elif len(wrong) == 1 and wrong == other and fits_spread(own[wrong[0]], given[wrong[0]].shape):
        read = given[wrong[0]].shape[1]
        remedy = f"its first layer reads {read} channels: say channels={read} of the model"
    raise XaibenchError(
        f"{origin}: not the whole state dict of this network; {len(wrong)} tensors are missing, "
        f"left over or of another shape, such as {wrong[0]}; {remedy}."
    )


def _load(network: nn.Module, state: dict[str, Tensor], origin: str) -> None:
    """Load the tensors that fit; name the others."""
    own = network.state_dict()
    state = named_as(state, own)
    state = {k: v for k, v in state.items() if k in own or not k.startswith(_SECOND_HEAD)}
    state = {
        k: spread(v, own[k].shape[1]) if k in own and fits_spread(v, own[k].shape) else v
        for k, v in state.items()
    }
    fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    wanted = [k for k in own if not k.endswith("num_batches_tracked")]
    count = sum(k in fitting for k in wanted)
    if 2 * count < len(wanted):
        few = f"only {count} of its {len(state)} tensors fit" if count else (
            f"none of its {len(state)} tensors fits"
        )  # fmt: skip
        raise XaibenchError(
            f"{origin}: {few} {type(network).__name__}; is it another architecture's? Its first "
            f"tensors are {_first(state)}, the network's {_first(own)}; name the model "
            "that they are of, or give --weights imagenet or none."
        )
    network.load_state_dict(fitting, strict=False)
    left_out = sorted(set(state) - set(fitting))
    if left_out:
        _log.warning("%s: left out, as they don't fit: %s", origin, ", ".join(left_out))
    missing = [k for k in wanted if k not in fitting]
    if missing:
        _log.info("%s: start from random numbers: %s", origin, ", ".join(sorted(missing)))


def _first(state: Mapping[str, Tensor]) -> str:
    return " and ".join(list(state)[:_SHOWN])
