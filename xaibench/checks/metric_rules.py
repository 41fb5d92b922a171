"""Rules for metrics."""

from dataclasses import replace

import torch
from torch import Tensor

from xaibench.checks.metric_trial import COUNT, Case, MetricTrial, as_values
from xaibench.checks.rule import Broken, Doubtful, Rule, Skipped, asked_for, describe, rule
from xaibench.checks.state import RANDOM_STATES, SETTINGS

RULES: list[Rule] = []
# Rounding of sums in another order; scores are near 1.
_TOLERANCE = 1e-5
_EMPTY = {3: 0, 5: -1}
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
    """``(B,)`` floats."""
    as_values(trial.first.values, COUNT)
    if not trial.first.values.is_floating_point():
        raise Broken(f"the values are {trial.first.values.dtype}; return floats: values.float().")


@rule(RULES, "defined where there is a mask")
def is_defined(trial: MetricTrial) -> None:
    """Ordinary maps and masks have finite values."""
    wrong = ~trial.values.isfinite()
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise Broken(
            f"an ordinary map with a mask scores {trial.values[row].item()} ({int(wrong.sum())} of "
            f"{COUNT}); NaN is for what can't be defined: guard the division behind it."
        )


@rule(RULES, "values within the declared bounds")
def stays_within_bounds(trial: MetricTrial) -> None:
    """``bounds=`` hold for ordinary maps, and for the truth itself."""
    case = Case.ordinary()
    truth = replace(case, maps=(case.masks > 0).float())
    _check_bounds(trial, torch.cat([trial.values, trial.score(truth)]), "")


@rule(RULES, "bears constant maps")
def bears_constant_maps(trial: MetricTrial) -> None:
    """Maps of zeros or ones score within bounds, or NaN."""
    case = Case.ordinary()
    for level in (0.0, 1.0):
        values = trial.score(replace(case, maps=torch.full_like(case.maps, level)))
        _check_bounds(trial, values, f" for maps that are {level:.0f} everywhere")


@rule(RULES, "undefined where the mask is empty")
def is_undefined_without_a_mask(trial: MetricTrial) -> None:
    """Without a region nothing was hit and nothing was missed: NaN, never 0."""
    case = Case.ordinary()
    for row, grade in _EMPTY.items():
        case.masks[row] = grade
    values, rows = trial.score(case), list(_EMPTY)
    lost = values.isnan() & ~trial.values.isnan()
    if trial.uses_masks:
        lost[rows] = False
    if lost.any():
        raise Broken(
            "an empty mask in the batch makes other maps' values NaN; treat all rows alone, and "
            "ask for `masks` where they count."
        )
    if not trial.uses_masks:
        return
    filled = values[rows][~values[rows].isnan()]
    if not len(filled):
        return
    others = trial.score(replace(case, maps=case.maps.square()))[rows]
    if (others == values[rows]).any():
        raise Broken(
            f"where the mask is empty it gives {filled[0].item():.3g}, whatever the map; return "
            "NaN there: values.where((masks > 0).flatten(1).any(dim=1), math.nan)."
        )
    raise Doubtful(
        f"where the mask is empty it gives {filled[0].item():.3g}, which counts in the mean; "
        "return NaN there unless that is meant."
    )


@rule(RULES, "independence of the batch")
def scores_each_map_alone(trial: MetricTrial) -> None:
    """A map alone scores as in a batch, in any order."""
    for row in (0, 7):
        alone = trial.score(Case.ordinary(), [row])[0]
        if not _alike(alone, trial.values[row]):
            raise Broken(
                f"map {row} scores {alone.item():.4g} alone and {trial.values[row].item():.4g} "
                "in its batch; take means, maxima and ranks over dim=(1, 2), not over the batch."
            )
    backwards = list(reversed(range(COUNT)))
    if not _alike(trial.score(Case.ordinary(), backwards), trial.values[backwards]):
        raise Broken("the order of the maps changes their values; treat all rows alike.")


@rule(RULES, "same maps, same values")
def repeats_itself(trial: MetricTrial) -> None:
    """A metric has no random part."""
    again = trial.score(Case.ordinary(), noise=2)
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
    noise = Case.ordinary(_SQUARE, _SQUARE)
    case = replace(noise, maps=0.6 * noise.maps + 0.4 * noise.masks)
    lying = replace(case, maps=case.maps.mT.contiguous())
    if _alike(trial.score(case), trial.score(lying)) and trial.values.isfinite().any():
        raise Broken(
            "transposed maps score the same: a map on its side would go unnoticed; compare maps "
            "with masks or images place by place."
        )


@rule(RULES, "truth is best, and beats chance")
def puts_the_truth_first(trial: MetricTrial) -> None:
    """For localization the mask itself reaches the better bound."""
    if trial.plugin.traits.family != "localization":
        raise Skipped("it doesn't measure localization")
    case = Case.ordinary()
    truth = trial.score(replace(case, maps=(case.masks > 0).float()))
    lowest, highest = trial.plugin.traits.bounds
    upwards = trial.metric.higher_is_better
    best = highest if upwards else lowest
    chance = trial.values.nanmean()
    if (truth.nanmean() > chance) != upwards:
        raise Broken(
            f"noise scores {chance:.3g} and the mask itself {truth.mean():.3g}, but "
            f"higher_is_better={trial.plugin.traits.higher_is_better}; turn it round."
        )
    if not torch.allclose(truth, torch.full_like(truth, best), rtol=0, atol=1e-6):
        raise Broken(
            f"the mask itself scores {truth.mean():.3g} and not {best}, the better bound; declare "
            "bounds=(lowest, highest) that can be reached, or another family."
        )


@rule(RULES, "arguments and surroundings untouched")
def leaves_its_arguments(trial: MetricTrial) -> None:
    """Other metrics see the same maps."""
    changed = trial.first.given.changed()
    if changed:
        raise Broken(f"it changes {' and '.join(changed)} in place; work on a copy.")
    around = [n for n in trial.first.surroundings if n in (*RANDOM_STATES, *SETTINGS)]
    if around:
        raise Broken(f"it uses or changes {' and '.join(around)}; leave it as it is.")


def _check_bounds(trial: MetricTrial, values: Tensor, where: str) -> None:
    lowest, highest = trial.plugin.traits.bounds
    known = values[~values.isnan()]
    wrong = known[(known < lowest) | (known > highest)]
    if len(wrong):
        raise Broken(
            f"it gives {wrong[0].item():.4g}{where}, outside of its bounds {lowest} to {highest}; "
            "mend the formula, or declare bounds=(lowest, highest)."
        )


def _alike(ours: Tensor, theirs: Tensor) -> bool:
    return torch.allclose(ours, theirs, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
