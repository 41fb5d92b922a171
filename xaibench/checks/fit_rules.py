"""Rules about what a method learns once for each trained model."""

import torch

from xaibench.checks.method_trial import MethodTrial
from xaibench.checks.rule import Broken, Rule, Skipped, asked_for, describe, rule
from xaibench.checks.state import RANDOM_STATES, SETTINGS
from xaibench.core.errors import Unsupported

RULES: list[Rule] = []


@rule(RULES, "its fit, if any, runs", gate=True, anywhere=True)
def fits(trial: MethodTrial) -> None:
    """A fit returns finite tensors by name."""
    if trial.plugin.fit is None:
        return
    try:
        found = trial.learned.tensors
    except Exception as error:
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        if isinstance(cause, Unsupported):
            raise cause from error
        raise Broken(f"{describe(cause, trial.plugin)} {asked_for(cause, trial.plugin)}") from error
    if wrong := [name for name, each in found.items() if not each.isfinite().all()]:
        raise Broken(f"its fit returns NaN or infinity in {', '.join(wrong)}; learn more slowly.")


@rule(RULES, "same seed, same fit")
def learns_the_same_again(trial: MethodTrial) -> None:
    """Only images, model and seed decide what is learned."""
    if trial.plugin.fit is None:
        raise Skipped("it has no fit")
    again = trial.fit(noise=2).tensors
    same = again.keys() == trial.learned.tensors.keys()
    if not same or any(not torch.equal(again[k], v) for k, v in trial.learned.tensors.items()):
        raise Broken(
            "fitted twice with the same seed it learns other tensors; draw random numbers from "
            "`generator` or from torch, which are seeded, and keep nothing between calls."
        )


@rule(RULES, "its fit leaves the model alone")
def leaves_the_model(trial: MethodTrial) -> None:
    """Weights, modes, hooks and settings are what they were."""
    if trial.plugin.fit is None:
        raise Skipped("it has no fit")
    changed = [f"{name} ({kind})" for kind, names in trial.learned.model.items() for name in names]
    changed += [n for n in trial.learned.surroundings if n in (*RANDOM_STATES, *SETTINGS)]
    if changed:
        raise Broken(
            f"its fit changes {', '.join(changed[:3])}; learn on copies, and use `generator`, or "
            "torch's random numbers, for what is drawn."
        )
