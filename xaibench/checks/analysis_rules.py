"""Rules for analyses."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from xaibench.checks.analysis_trial import COUNT, AnalysisTrial
from xaibench.checks.rule import Broken, Rule, asked_for, describe, rule
from xaibench.checks.state import intrusion
from xaibench.core.findings import IMAGES, Findings, Histogram, Lines, Scatter

RULES: list[Rule] = []
_PICTURE_AXES = 5


@rule(RULES, "runs", gate=True)
def runs(trial: AnalysisTrial) -> None:
    """It returns findings about well separated classes."""
    try:
        found = trial.first.findings
    except Exception as error:
        said = f"{describe(error, trial.plugin)} {asked_for(error, trial.plugin)}"
        raise Broken(said) from error
    if not isinstance(found, Findings):
        raise Broken(f"it returned a {type(found).__name__}; return xaibench.Findings.")


@rule(RULES, "numbers, or one for each test image", gate=True)
def gives_numbers(trial: AnalysisTrial) -> None:
    """Quantities are floats or ``(N,)``, further columns ``(N,)``."""
    found: Findings = trial.first.findings
    for name, value in {**found.quantities, **found.images}.items():
        shape = np.shape(value)
        if shape != (COUNT,) and (shape or name in found.images):
            raise Broken(f"'{name}' is {shape}; return one value for each test image, ({COUNT},).")
    for name, value in found.quantities.items():
        if not np.issubdtype(np.asarray(value).dtype, np.floating):
            raise Broken(f"'{name}' is {np.asarray(value).dtype}; return floats.")


@rule(RULES, "explains its numbers")
def explains_its_quantities(trial: AnalysisTrial) -> None:
    """``quantities=`` names each."""
    names = {name.partition("[")[0] for name in trial.first.findings.quantities}
    if unknown := sorted(names - set(trial.plugin.traits.quantities)):
        raise Broken(f"quantities= doesn't say what {', '.join(unknown)} means; add it there.")


@rule(RULES, "numbers within the declared bounds")
def stays_within_bounds(trial: AnalysisTrial) -> None:
    """``bounds=`` hold for what is a mean over test images."""
    lowest, highest = trial.plugin.traits.bounds
    for name, value in trial.first.findings.quantities.items():
        known = np.asarray(value)[~np.isnan(value)] if np.ndim(value) else np.empty(0)
        if len(known) and not lowest <= known.mean() <= highest:
            raise Broken(
                f"'{name}' is {known.mean():.4g}, outside of {lowest} to {highest}; declare "
                "bounds=(lowest, highest)."
            )


@rule(RULES, "figures and pairs of what it found")
def draws_what_it_found(trial: AnalysisTrial) -> None:
    """They name columns that are there."""
    found: Findings = trial.first.findings
    images = {**found.quantities, **found.images}
    wanted = [(IMAGES, name) for pair in found.pairs for name in pair]
    for each in found.figures:
        if isinstance(each, Scatter):
            colors = () if each.by == "class" else (each.by,)
            wanted += [(IMAGES, name) for name in (*each.columns, *colors)]
        elif isinstance(each, Lines):
            wanted += [(each.table, name) for name in (each.x, *each.y)]
        elif isinstance(each, Histogram):
            wanted += [(IMAGES, name) for name in (each.column, each.by)]
        elif np.ndim(found.pixels.get(each.name, ())) != _PICTURE_AXES:
            raise Broken(
                f"{each.name} shows pictures; return pixels= with (rows, columns, H, W, 3) of them."
            )
    for table, name in wanted:
        known = images if table == IMAGES else found.tables.get(table, ())
        if name not in known:
            raise Broken(f"a figure or a pair names {name} of {table}, which it didn't return.")


@rule(RULES, "does without a head")
def does_without_a_head(trial: AnalysisTrial) -> None:
    """Autoencoders predict nothing."""
    try:
        trial.observe(head=False)
    except Exception as error:
        raise Broken(
            f"for a model that doesn't classify {describe(error, trial.plugin)} `predictions` and "
            "`confidences` are None there."
        ) from error


@rule(RULES, "same images, same findings")
def repeats_itself(trial: AnalysisTrial) -> None:
    """What is drawn at random hangs on ``seed`` alone."""
    again = _contents(trial.observe(noise=2).findings)
    for name, value in _contents(trial.first.findings).items():
        if not value.equals(again.get(name)):
            raise Broken(
                f"asked twice it gives another {name}; take random_state from the word `seed`."
            )


@rule(RULES, "arguments and surroundings untouched")
def leaves_its_arguments(trial: AnalysisTrial) -> None:
    """Other analyses see the same arrays."""
    if said := intrusion(trial.first.given, trial.first.surroundings):
        raise Broken(said)


def _contents(found: Findings) -> Mapping[str, Any]:
    columns = {**found.quantities, **found.images}
    tables = {name: pd.Series(np.atleast_1d(value)) for name, value in columns.items()}
    return {**tables, **found.tables}
