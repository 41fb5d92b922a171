"""What a plugin must leave as it was: arguments, model, random numbers, torch's settings."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xaibench.core.passes.inside_torch import count_hooks, global_hooks
from xaibench.core.seeds import BatchGenerator

Aspects = dict[str, dict[str, Any]]


class Given:
    """Hands out words, and remembers which tensors it gave and what was in them."""

    def __init__(self, words: object) -> None:
        self._words = words
        self._given: dict[str, tuple[Any, Any]] = {}
        self.drawn: set[str] = set()
        """What was asked of the random numbers."""

    def __getattr__(self, word: str) -> Any:
        value = getattr(self._words, word)
        kept = value.detach().clone() if isinstance(value, Tensor) else _copied(value)
        self._given[word] = (value, kept)
        return _Watched(value, self.drawn) if isinstance(value, BatchGenerator) else value

    def changed(self) -> list[str]:
        """Return the words whose tensors are no longer what they were."""
        pairs = self._given.items()
        changed = [word for word, (value, kept) in pairs if not _same(value, kept)]
        tensors = [(word, value) for word, (value, _) in pairs if isinstance(value, Tensor)]
        return changed + [f"{word}.requires_grad" for word, v in tensors if v.requires_grad]

    def shapes(self) -> str:
        """Return what was given, as one says it."""
        shapes = {w: tuple(v.shape) for w, (v, _) in self._given.items() if hasattr(v, "shape")}
        return ", ".join(f"{word} {shapes.get(word, '')}".strip() for word in self._given)


class _Watched:
    """Replaces a thing, and remembers what it was asked for."""

    def __init__(self, thing: object, asked: set[str]) -> None:
        self._thing, self._asked = thing, asked

    def __getattr__(self, name: str) -> Any:
        self._asked.add(name)
        return getattr(self._thing, name)


def intrusion(given: Given, surroundings: Sequence[str]) -> str:
    """Say what a plugin changed that it shares with others; empty where it changed nothing."""
    if changed := given.changed():
        return f"it changes {' and '.join(changed)} in place; work on a copy."
    if around := [name for name in surroundings if name in (*RANDOM_STATES, *SETTINGS)]:
        return f"it uses or changes {' and '.join(around)}; leave it as it is."
    return ""


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def state_of(model: nn.Module) -> Aspects:
    """Return all that a method might leave changed in a model, by aspect and by name."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    parameters = dict(model.named_parameters())
    modules = dict(model.named_modules())
    parts = {**modules, **parameters}
    hooks = {name: count_hooks(part) for name, part in parts.items()}
    hooks |= {kind: len(known) for kind, known in global_hooks().items()}
    return {
        "layers": {name: id(part) for name, part in modules.items()},
        "weights": {name: value.detach().clone() for name, value in tensors},
        "modes": {name: part.training for name, part in modules.items()},
        "frozen": {name: value.requires_grad for name, value in parameters.items()},
        "gradients": {name: value.grad is None for name, value in parameters.items()},
        "hooks": hooks,
    }


def differences(before: Aspects, after: Aspects) -> dict[str, list[str]]:
    """Return the names of what changed, by aspect."""
    changed = {}
    for aspect, old in before.items():
        new = after[aspect]
        names = [*old, *(name for name in new if name not in old)]
        changed[aspect] = [
            name or "the model itself"
            for name in names
            if name not in old or name not in new or not _same(old[name], new[name])
        ]
    return changed


@contextmanager
def isolated(seed: int) -> Iterator[list[str]]:
    """Seed the global random states, and put them and torch's settings back afterwards.

    Yields a list that names, in the end, what was used or changed.
    """
    states = {name: read() for name, (read, _) in _STATES.items()}
    settings = {name: read() for name, (read, _) in _SETTINGS.items()}
    hooks = {name: set(known) for name, known in global_hooks().items()}
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    seeded = {name: read() for name, (read, _) in _STATES.items()}
    changed: list[str] = []
    try:
        yield changed
    finally:
        changed += [n for n, (read, _) in _STATES.items() if not _same(read(), seeded[n])]
        changed += [n for n, (read, _) in _SETTINGS.items() if read() != settings[n]]
        for name, (_, write) in _STATES.items():
            write(states[name])
        for name, (read, write) in _SETTINGS.items():
            if read() != settings[name]:
                write(settings[name])
        for name, left in global_hooks().items():
            for key in [key for key in left if key not in hooks[name]]:
                del left[key]


_Access = Mapping[str, tuple[Callable[[], Any], Callable[[Any], Any]]]
_STATES: _Access = {
    "torch's random state": (torch.get_rng_state, torch.set_rng_state),
    "numpy's random state": (np.random.get_state, np.random.set_state),
    "Python's random state": (random.getstate, random.setstate),
}
_SETTINGS: _Access = {
    "grad mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "number of threads": (torch.get_num_threads, torch.set_num_threads),
    "deterministic algorithms": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    "anomaly mode": (torch.is_anomaly_enabled, torch.set_anomaly_enabled),
}
RANDOM_STATES, SETTINGS = tuple(_STATES), tuple(_SETTINGS)


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, Tensor) and isinstance(new, Tensor):
        if (old.shape, old.dtype, old.device) != (new.shape, new.dtype, new.device):
            return False
        missing = old.isnan() & new.isnan()
        return bool(((old == new) | missing).all())
    if isinstance(old, np.ndarray):
        return np.array_equal(old, new)
    if isinstance(old, tuple) and isinstance(new, tuple):
        return len(old) == len(new) and all(map(_same, old, new))
    return bool(old == new)
