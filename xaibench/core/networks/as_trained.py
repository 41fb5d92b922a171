"""Models as a checkpoint left them: all weights loaded, outputs in the dataset's order."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.last_layer import last_layer
from xaibench.core.model import Model
from xaibench.core.networks.checkpoint_file import named_as, read_checkpoint
from xaibench.core.networks.weights import load_whole

_SHOWN = 5


def load_checkpoint(
    model: Model, path: Path, order: Sequence[str], class_names: Sequence[str]
) -> None:
    """Load all weights of a model, which is trained then, and bring its outputs into order.

    Args:
        model: built for the dataset's classes.
        path: the checkpoint.
        order: of its outputs, as the classes' names; empty takes what the file says, and where it
            says nothing the dataset's order.
        class_names: the dataset's.

    Raises:
        XaibenchError: it doesn't fit, or its classes are others.
    """
    name = f"checkpoint={path}"
    found = read_checkpoint(path, name)
    if model.classifies:
        _check_count(model, found.state, path, class_names)
    load_whole(model, found.state, name)
    outputs = tuple(order) or found.class_names
    if outputs:
        _reorder(model, outputs, name, class_names)
    model.trained = True


def _check_count(
    model: Model, state: Mapping[str, Tensor], path: Path, class_names: Sequence[str]
) -> None:
    last = last_layer(model.answering)
    own = next(key for key, part in model.named_modules() if part is last)
    for key in (f"{own}.weight", f"{own}.weight".removeprefix("network.")):
        weight = named_as(state, {key}).get(key)
        if weight is not None and len(weight) != len(class_names):
            raise XaibenchError(
                f"checkpoint={path}: it has {len(weight)} classes, and the dataset has "
                f"{len(class_names)} ({', '.join(class_names[:_SHOWN])}); train a new head on it "
                f"with --weights {path}, or run on the dataset whose classes it learned."
            )


def _reorder(model: Model, outputs: Sequence[str], name: str, class_names: Sequence[str]) -> None:
    if sorted(outputs) != sorted(class_names):
        raise XaibenchError(
            f"{name}: its outputs are {', '.join(outputs)}, and the dataset's classes are "
            f"{', '.join(class_names)}; say which class each output is, in their order, with "
            f"[class_order={'+'.join(class_names)}]."
        )
    places = [outputs.index(each) for each in class_names]
    with torch.no_grad():
        for parameter in last_layer(model.answering).parameters(recurse=False):
            parameter.copy_(parameter[places])
