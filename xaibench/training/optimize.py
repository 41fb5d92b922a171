"""The optimizer of a training run, and how its learning rate changes."""

from collections.abc import Callable, Mapping
from typing import Any

from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR, StepLR

from xaibench.core.model import Model
from xaibench.core.recipe import read_schedule

_MOMENTUM = 0.9
_WARM_UP = 0.15
_FUSED = frozenset({"adam", "adamw", "sgd"})
_Groups = list[dict[str, object]]
_OPTIMIZERS: Mapping[str, Callable[..., Optimizer]] = {
    "adam": Adam,
    "adamw": AdamW,
    "sgd": lambda groups, **options: SGD(groups, momentum=_MOMENTUM, **options),
    "rmsprop": RMSprop,
}


def make_optimizer(
    name: str,
    model: Model,
    rate: float,
    *,
    fresh_rate: float = 10,
    weight_decay: float = 0,
    fused: bool = False,
) -> Optimizer:
    """Return the optimizer of all parameters that learn; fresh ones of pretrained nets faster.

    Args:
        name: adam, adamw, sgd or rmsprop.
        model: to be trained.
        rate: the learning rate.
        fresh_rate: how many times as fast layers learn that start from random numbers, and so have
            further to go, where the others are pretrained.
        weight_decay: of all of them.
        fused: make a step of all parameters in one kernel, where the optimizer has one.
    """
    fresh = {id(parameter): parameter for parameter in model.new_parameters()}
    learned = [p for p in model.parameters() if p.requires_grad and id(p) not in fresh]
    pace = fresh_rate if model.pretrained else 1
    groups: _Groups = [{"params": learned, "lr": rate}] if learned else []
    if fresh:
        groups.append({"params": list(fresh.values()), "lr": rate * pace})
    options = {"fused": True} if fused and name in _FUSED else {}
    return _OPTIMIZERS[name](groups, weight_decay=weight_decay, **options)


class LearningRate:
    """Changes an optimizer's learning rate after each step or each epoch, as `core.recipe` says.

    Args:
        text: the schedule, as `core.recipe.read_schedule` takes it.
        optimizer: whose rates they are.
        epochs: of the training.
        steps: in each epoch.
    """

    def __init__(self, text: str, optimizer: Optimizer, *, epochs: int, steps: int) -> None:
        read = read_schedule(text)
        self._by_step = bool(read.by_step)
        self._schedule: LRScheduler
        if read.by_step == "one_cycle":
            rates = [group["lr"] for group in optimizer.param_groups]
            # Adam's first beta and SGD's momentum fall while the rate rises; RMSprop has neither.
            cycles = not isinstance(optimizer, RMSprop)
            self._schedule = OneCycleLR(
                optimizer,
                rates,
                total_steps=epochs * steps,
                pct_start=_WARM_UP,
                cycle_momentum=cycles,
            )
        elif read.by_step == "cosine":
            self._schedule = CosineAnnealingLR(optimizer, epochs * steps)
        else:
            self._schedule = StepLR(optimizer, step_size=read.epochs, gamma=read.factor)

    def after_step(self) -> None:
        """Change what changes by step."""
        if self._by_step:
            self._schedule.step()

    def after_epoch(self) -> None:
        """Change what changes by epoch."""
        if not self._by_step:
            self._schedule.step()

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` takes."""
        return self._schedule.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a stored state."""
        self._schedule.load_state_dict(state)
