"""Rules about asking a method again: what its maps may depend on, and what it may keep."""

import gc
from dataclasses import replace

import torch
from torch import Tensor

from xaibench.checks.method_trial import COUNT, MethodTrial, Scene, alike
from xaibench.checks.rule import Broken, Rule, Skipped, rule

RULES: list[Rule] = []


@rule(RULES, "same seed, same map")
def repeats_itself(trial: MethodTrial) -> None:
    """Nothing but images and seed decides, least of all the global random states."""
    again = trial.ask(Scene.ordinary(), noise=2)
    if not _equal(again, trial.maps):
        raise Broken(
            "asked twice with the same seed it returns different maps; draw random numbers from "
            "the word `generator` alone, and keep nothing between calls."
        )


@rule(RULES, "another seed, another map", anywhere=True)
def follows_its_seed(trial: MethodTrial) -> None:
    """Who asks for random numbers uses them."""
    if "generator" not in trial.words:
        raise Skipped("it asks for no `generator`")
    if not _equal(trial.ask(replace(Scene.ordinary(), seed=1)), trial.maps):
        return
    if "seed" in trial.first.given.drawn:
        raise Skipped("it hands its seed on to another library")
    raise Broken("it asks for `generator`, but no seed changes its maps; use it, or drop it.")


@rule(RULES, "independence of the batch")
def sees_each_image_alone(trial: MethodTrial) -> None:
    """A batch of three equals three batches of one, in any order."""
    scene = Scene.ordinary()
    for row in range(COUNT):
        alone = trial.ask(replace(scene, rows=[row]))[0]
        if not alike(alone, trial.maps[row]):
            raise Broken(
                f"image {row} has another map alone than among {COUNT}{_apart(alone, trial, row)}; "
                "take means, maxima and norms over each image, not over the batch (dim 0)."
            )
    backwards = list(reversed(range(COUNT)))
    if not alike(trial.ask(replace(scene, rows=backwards)), trial.maps[backwards]):
        raise Broken("the order of the images changes their maps; treat all rows alike.")


@rule(RULES, "releases memory")
def keeps_nothing(trial: MethodTrial) -> None:
    """After a call no more tensors live than after the one before."""
    kept = []
    trial.observe(Scene.ordinary(), noise=1)  # what is kept once and for all is no leak
    gc.freeze()  # only what is made from here on is looked through
    try:
        for _ in range(2):
            trial.observe(Scene.ordinary(), noise=1)
            gc.collect()
            # Not isinstance, which runs code of what pretends to be something else.
            tensors = [thing for thing in gc.get_objects() if issubclass(type(thing), Tensor)]
            kept.append([tensor.numel() for tensor in tensors])
            del tensors
    finally:
        gc.unfreeze()
    more = len(kept[1]) - len(kept[0])
    if more > 0:
        numbers = sum(kept[1]) - sum(kept[0])
        raise Broken(
            f"each call leaves {more} tensors of {numbers} numbers behind, in a global list or a "
            "cache; a run makes thousands of calls: keep nothing."
        )


def _equal(ours: Tensor, theirs: Tensor) -> bool:
    """Whether maps are the same bits; NaN equals NaN."""
    if ours.shape != theirs.shape:
        return False
    return torch.allclose(ours, theirs, rtol=0, atol=0, equal_nan=True)


def _apart(alone: Tensor, trial: MethodTrial, row: int) -> str:
    if alone.shape != trial.maps[row].shape:
        return f" ({tuple(alone.shape)} and {tuple(trial.maps[row].shape)})"
    return f" (they differ by up to {(alone - trial.maps[row]).abs().max().item():.2g})"
