"""Rules about what a method leaves behind."""

from xaibench.checks.method_trial import MethodTrial
from xaibench.checks.rule import Broken, Rule, rule
from xaibench.checks.state import RANDOM_STATES, SETTINGS

RULES: list[Rule] = []
_SHOWN = 3


@rule(RULES, "global random states untouched")
def leaves_random_states(trial: MethodTrial) -> None:
    """Neither drawn from nor seeded."""
    used = [name for name in trial.first.surroundings if name in RANDOM_STATES]
    if used:
        raise Broken(
            f"it draws from {' and '.join(used)}, or seeds it, which changes what other plugins "
            "draw; take random numbers from the word `generator`."
        )


@rule(RULES, "torch's settings untouched")
def leaves_settings(trial: MethodTrial) -> None:
    """Grad mode, default dtype, threads."""
    changed = [name for name in trial.first.surroundings if name in SETTINGS]
    if changed:
        raise Broken(
            f"it leaves torch's {' and '.join(changed)} changed; set it within a `with` block, or "
            "put it back."
        )


@rule(RULES, "arguments untouched")
def leaves_its_arguments(trial: MethodTrial) -> None:
    """All methods of a run share them."""
    changed = trial.first.given.changed()
    if changed:
        raise Broken(
            f"it changes {' and '.join(changed)} in place, which other methods share; work on a "
            "copy (no trailing underscore, +=, or assignment to a part)."
        )


@rule(RULES, "layers and weights untouched")
def leaves_weights(trial: MethodTrial) -> None:
    """Parameters, buffers (running statistics) and the layers themselves."""
    changed = trial.changed("weights", "layers")
    if changed:
        raise Broken(
            f"it changes the model: {_some(changed)}; work on copy.deepcopy(network), and keep it "
            "in evaluation mode, as batch norms learn from each pass in training mode."
        )


@rule(RULES, "training modes untouched")
def leaves_modes(trial: MethodTrial) -> None:
    """The model comes in evaluation mode and stays in it."""
    changed = trial.changed("modes")
    if changed:
        raise Broken(
            f"it leaves another mode (train, eval) in {_some(changed)}; the model comes in "
            "evaluation mode: don't call train()."
        )


@rule(RULES, "requires_grad untouched")
def leaves_requires_grad(trial: MethodTrial) -> None:
    """Frozen parameters stay frozen, others free."""
    changed = trial.changed("frozen")
    if changed:
        raise Broken(f"it leaves requires_grad changed in {_some(changed)}; put it back.")


@rule(RULES, "no gradients left behind")
def leaves_no_gradients(trial: MethodTrial) -> None:
    """``.grad`` stays None."""
    changed = trial.changed("gradients")
    if changed:
        raise Broken(
            f"it leaves .grad in {_some(changed)}; use torch.autograd.grad(...), or the words "
            "`gradients` and `differentiate`, in place of backward()."
        )


@rule(RULES, "no hooks left behind")
def leaves_no_hooks(trial: MethodTrial) -> None:
    """Every handle is removed, also where something fails."""
    changed = trial.changed("hooks")
    if changed:
        raise Broken(
            f"it leaves hooks in {_some(changed)}; keep the handle and call handle.remove() in a "
            "`finally`, or ask for the words `activations` and `gradients` instead."
        )


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
