"""The optimiser of a training run, and how its learning rate falls."""

from collections.abc import Callable, Mapping

from torch.optim import SGD, Adam, Optimizer, RMSprop
from torch.optim.lr_scheduler import LRScheduler, StepLR

from xaibench.core.model import Model
from xaibench.core.recipe import read_schedule

# Fresh layers start from random numbers and have further to go than pretrained ones.
_FRESH_LAYERS_PACE = 10
_MOMENTUM = 0.9
_Groups = list[dict[str, object]]
_OPTIMISERS: Mapping[str, Callable[[_Groups], Optimizer]] = {
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
    return _OPTIMISERS[name](groups)


def make_schedule(text: str, optimiser: Optimizer) -> LRScheduler:
    """Return what changes the learning rate after each epoch, as `core.recipe` reads it."""
    schedule = read_schedule(text)
    return StepLR(optimiser, step_size=schedule.epochs, gamma=schedule.factor)
