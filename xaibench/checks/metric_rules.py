"""Rules for metrics."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from xaibench.checks.metric_trial import COUNT, Case, MetricTrial, as_values
from xaibench.checks.rule import Broken, Doubtful, Rule, Skipped, asked_for, describe, rule
from xaibench.checks.state import intrusion

RULES: list[Rule] = []
# Rounding of sums in another order; scores are near 1.
_TOLERANCE = 1e-5
# Rows that get another mask, and the grade of one that is empty.
_OTHERS = {3: 0, 5: -1}
_SQUARE = 48


@rule(RULES, "turned by its own options")
def is_turned_by_its_options(trial: MetricTrial) -> None:
    """``turned_by`` names options."""
    unknown = set(trial.plugin.traits.turned_by) - set(trial.plugin.signature.options)
    if unknown:
        raise Broken(
            f"turned_by names {', '.join(sorted(unknown))}, which is none of its options; name "
            "an option, or drop it."
        )


@rule(RULES, "runs", gate=True)
def runs(trial: MetricTrial) -> None:
    """A metric returns something for ordinary maps."""
    try:
        _ = trial.first
    except Exception as error:
        said = f"{describe(error, trial.plugin)} {asked_for(error, trial.plugin)}"
        raise Broken(said) from error


@rule(RULES, "one value for each map", gate=True)
def gives_one_value_each(trial: MetricTrial) -> None:
    """``(B,)`` floats; ``(B, S)`` where they are statistics."""
    as_values(trial.first.values, COUNT, trial.pooled)
    if not trial.first.values.is_floating_point():
        raise Broken(f"the values are {trial.first.values.dtype}; return floats: values.float().")


@rule(RULES, "pooled, if at all, into one number", gate=True)
def pools_statistics(trial: MetricTrial) -> None:
    """``pool=`` makes a number of the mean alone, and says how each statistic moves it."""
    if not trial.pooled:
        return
    mean = trial.values.double().nanmean(dim=0).requires_grad_()
    value = trial.plugin.traits.pool(mean)
    if not isinstance(value, Tensor) or value.ndim:
        shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise Broken(f"pool returns {shape}; return one number, a tensor of no dimension.")
    if not value.requires_grad:
        raise Broken(
            "pool's value has no gradient, by which images get their parts in it; compute it by "
            "torch from the mean alone, without item() or detach()."
        )
    (gradient,) = torch.autograd.grad(value, mean)
    if not gradient.isfinite().all():
        raise Broken("pool's gradient is not finite; guard its roots, logarithms and quotients.")


@rule(RULES, "defined for the masks that count")
def is_defined(trial: MetricTrial) -> None:
    """Ordinary maps have finite values."""
    values = trial.worth(trial.values)
    wrong = ~values.isfinite()
    if wrong.any():
        mask = {"filled": "a mask", "empty": "an empty mask", "any": "any mask"}
        row = int(wrong.nonzero()[0])
        raise Broken(
            f"an ordinary map with {mask[trial.plugin.traits.counted]} scores {values[row].item()} "
            f"({int(wrong.sum())} of {COUNT}); NaN is for what can't be defined: guard the "
            "division behind it."
        )


@rule(RULES, "values within the declared bounds")
def stays_within_bounds(trial: MetricTrial) -> None:
    """``bounds=`` hold for ordinary maps, and for the truth itself."""
    _check_bounds(trial, torch.cat([trial.values, trial.score(trial.case().truth)]), "")


@rule(RULES, "bears constant maps")
def bears_constant_maps(trial: MetricTrial) -> None:
    """Maps of zeros or ones score within bounds, or NaN."""
    case = trial.case()
    for level in (0.0, 1.0):
        values = trial.score(replace(case, maps=torch.full_like(case.maps, level)))
        _check_bounds(trial, values, f" for maps that are {level:.0f} everywhere")


@rule(RULES, "undefined for masks that don't count")
def is_undefined_for_other_masks(trial: MetricTrial) -> None:
    """Without a region nothing was hit and nothing was missed: NaN, never 0."""
    counted = trial.plugin.traits.counted
    case, rows = trial.case(), list(_OTHERS)
    for row, grade in _OTHERS.items():
        case.masks[row] = Case.ordinary().masks[row] if counted == "empty" else grade
    values = trial.worth(trial.score(case))
    lost = values.isnan() & ~trial.worth(trial.values).isnan()
    strict = trial.uses_masks and counted != "any"
    if trial.uses_masks:
        lost[rows] = False
    if lost.any():
        raise Broken(
            "one mask in the batch makes other maps' values NaN; treat all rows alone, and ask "
            "for `masks` where they count."
        )
    found = values[rows][~values[rows].isnan()]
    if not strict or not len(found):
        return
    where, known = ("is not", "~filled") if counted == "empty" else ("is", "filled")
    said = f"where the mask {where} empty it gives {found[0].item():.3g}"
    others = trial.worth(trial.score(replace(case, maps=case.maps.square())))[rows]
    if (others == values[rows]).any():
        raise Broken(
            f"{said}, whatever the map; return NaN there: values.where({known}, math.nan) with "
            "filled = (masks > 0).flatten(1).any(dim=1)."
        )
    raise Doubtful(
        f"{said}, which counts in the mean; return NaN there, or declare counted='any' if that is "
        "meant."
    )


@rule(RULES, "independence of the batch")
def scores_each_map_alone(trial: MetricTrial) -> None:
    """A map alone scores as in a batch, in any order."""
    for row in (0, 7):
        alone = trial.score(trial.case(), [row])[0]
        if not _alike(alone, trial.values[row]):
            # What is said of statistics is their mean.
            raise Broken(
                f"map {row} scores {alone.mean():.4g} alone and {trial.values[row].mean():.4g} in "
                "its batch; take means, maxima and ranks over dim=(1, 2), not over the batch."
            )
    backwards = list(reversed(range(COUNT)))
    if not _alike(trial.score(trial.case(), backwards), trial.values[backwards]):
        raise Broken("the order of the maps changes their values; treat all rows alike.")


@rule(RULES, "same maps, same values")
def repeats_itself(trial: MetricTrial) -> None:
    """A metric has no random part."""
    again = trial.score(trial.case(), noise=2)
    if not torch.allclose(again, trial.values, rtol=0, atol=0, equal_nan=True):
        raise Broken(
            "scoring the same maps twice gives different values; draw nothing at random, or from "
            "a torch.Generator of a fixed seed, and keep nothing between calls."
        )


@rule(RULES, "tells a map from its transpose")
def sees_the_place(trial: MetricTrial) -> None:
    """Maps on their side score otherwise; they would go unnoticed."""
    if trial.plugin.traits.family == "complexity":
        raise Skipped("how complex a map is doesn't hang on its direction")
    if not {"maps", "covered_confidence"} & (words := set(trial.plugin.signature.words)):
        raise Skipped("it looks at maps of other images alone")
    if not {"masks", "images", "covered_confidence"} & words:
        raise Skipped("it compares maps with nothing that has places")
    if trial.plugin.traits.counted == "empty":
        raise Skipped("where the mask is empty there is no place to find")
    noise = trial.case(_SQUARE, _SQUARE)
    case = replace(noise, maps=0.6 * noise.maps + 0.4 * noise.masks)
    lying = replace(case, maps=case.maps.mT.contiguous())
    if _alike(trial.score(case), trial.score(lying)) and trial.values.isfinite().any():
        raise Broken(
            "transposed maps score the same: a map on its side would go unnoticed; compare maps "
            "with masks or images place by place."
        )


@rule(RULES, "truth is best, and beats chance")
def puts_the_truth_first(trial: MetricTrial) -> None:
    """For localization the mask itself reaches the better bound, if only where it is layered."""
    if trial.plugin.traits.family != "localization":
        raise Skipped("it doesn't measure localization")
    truth = trial.worth(trial.score(trial.case().truth))
    upwards = trial.metric.higher_is_better
    best = trial.plugin.traits.bounds[upwards]
    chance = trial.worth(trial.values).nanmean()
    if (truth.nanmean() > chance) != upwards:
        raise Broken(
            f"noise scores {chance:.3g} and the mask itself {truth.nanmean():.3g}, but "
            f"higher_is_better={trial.plugin.traits.higher_is_better}; turn it round."
        )
    unbounded = math.isinf(best)  # there no other map may be better
    if unbounded and (truth >= trial.worth(trial.values)).all():
        return
    if not _reached(truth, best) and not _reached(
        trial.worth(trial.score(Case.layered().truth)), best
    ):
        raise Broken(
            f"the mask itself scores {truth.nanmean():.3g} and not {best}, the better bound; "
            "declare bounds=(lowest, highest) that can be reached, or another family."
        )


@rule(RULES, "arguments and surroundings untouched")
def leaves_its_arguments(trial: MetricTrial) -> None:
    """Other metrics see the same maps."""
    if said := intrusion(trial.first.given, trial.first.surroundings):
        raise Broken(said)


def _check_bounds(trial: MetricTrial, values: Tensor, where: str) -> None:
    lowest, highest = trial.plugin.traits.bounds
    known = trial.worth(values)
    known = known[~known.isnan()]
    wrong = known[(known < lowest) | (known > highest)]
    if len(wrong):
        raise Broken(
            f"it gives {wrong[0].item():.4g}{where}, outside of its bounds {lowest} to {highest}; "
            "fix the formula, or declare bounds=(lowest, highest)."
        )


def _reached(values: Tensor, bound: float) -> bool:
    return torch.allclose(values, torch.full_like(values, bound), rtol=0, atol=1e-6)


def _alike(ours: Tensor, theirs: Tensor) -> bool:
    return torch.allclose(ours, theirs, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
