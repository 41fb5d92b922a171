"""The optimiser of a training run, and how its learning rate falls."""

from collections.abc import Callable, Mapping
from math import inf

from torch import nn
from torch.optim import SGD, Adam, Optimizer, RMSprop
from torch.optim.lr_scheduler import ConstantLR, ExponentialLR, LRScheduler, StepLR

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Model

# Fresh layers start from random numbers and have further to go than pretrained ones.
_FRESH_LAYERS_PACE = 10
_MOMENTUM = 0.9
_USAGE = "write constant, step:EPOCHS:FACTOR (such as step:7:0.1) or exponential:FACTOR"
_Groups = list[dict[str, object]]
OPTIMISERS: Mapping[str, Callable[[_Groups], Optimizer]] = {
    "adam": Adam,
    "sgd": lambda groups: SGD(groups, momentum=_MOMENTUM),
    "rmsprop": RMSprop,
}


def make_optimiser(name: str, model: Model, rate: float) -> Optimizer:
    """Return the optimiser of all parameters that learn; fresh ones of pretrained nets faster."""
    fresh = {id(parameter): parameter for parameter in model.new_parameters()}
    learned = [p for p in model.parameters() if p.requires_grad and id(p) not in fresh]
    pace = _FRESH_LAYERS_PACE if model.pretrained else 1
    groups: _Groups = [{"params": learned, "lr": rate}] if learned else []
    if fresh:
        groups.append({"params": list(fresh.values()), "lr": rate * pace})
    return OPTIMISERS[name](groups)


def make_schedule(text: str, optimiser: Optimizer) -> LRScheduler:
    """Return what changes the learning rate after each epoch.

    Args:
        text: ``constant``, ``step:7:0.1`` (a tenth every seven epochs) or ``exponential:0.95``.
        optimiser: whose rate it is.

    Raises:
        XaibenchError: it is none of these.
    """
    kind, *numbers = text.split(":")
    try:
        if kind == "constant" and not numbers:
            return ConstantLR(optimiser, factor=1.0)
        if kind == "step":
            epochs, factor = int(numbers[0]), _factor(*numbers[1:])
            return StepLR(optimiser, step_size=_at_least_one(epochs), gamma=factor)
        if kind == "exponential":
            return ExponentialLR(optimiser, gamma=_factor(*numbers))
    except (ValueError, TypeError, IndexError):
        pass
    raise XaibenchError(f"--schedule {text}: {_USAGE}.")


def check_schedule(text: str) -> None:
    """Refuse a schedule that can't be read.

    Raises:
        XaibenchError: it can't.
    """
    make_schedule(text, SGD([nn.Parameter()], lr=1.0))


def _factor(text: str) -> float:
    factor = float(text)
    if not 0 < factor < inf:
        raise ValueError
    return factor


def _at_least_one(count: int) -> int:
    if count < 1:
        raise ValueError
    return count
