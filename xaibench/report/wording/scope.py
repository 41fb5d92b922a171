"""How far a board's conclusions carry: to new test images, trainings and training sets."""

from collections.abc import Iterator, Mapping

from xaibench.report.facts.section import Section
from xaibench.report.facts.supervision import SEGMENTATION, is_upper_bound
from xaibench.report.facts.traits import header, metrics_of, primary_metric
from xaibench.report.judging.judge import Judged
from xaibench.report.judging.standing import order_rows
from xaibench.report.judging.tested import LEVEL
from xaibench.report.numbers import span
from xaibench.report.wording.row_names import name_of, names_of
from xaibench.results.records import RunRecord

NO_SETS = (
    "New training sets are not covered: that takes several folds and several seeds "
    "(`--split kfold:5 --seeds 0,1,2`)."
)
OVER_SETS = (
    "New training sets, too (Nadeau and Bengio's corrected t-test over folds, conservative where "
    "folds differ)"
)
_FEW_SEEDS = 3


def scope(section: Section, run: RunRecord, judged: Mapping[str, Judged]) -> Iterator[str]:
    """Yield sentences on what a section's intervals and tests generalize to."""
    folds = section.units["fold"].nunique()
    yield trainings(section) + (f" All {folds} folds are pooled." if folds > 1 else "")
    yield from _over_sets(section, run, judged)
    bounded = any(
        is_upper_bound(run, section.dataset, row.model, row.method) for row in section.rows
    )
    if metrics_of(run, "localization") and not bounded:  # without masks there is none to train
        yield (
            "Skill needs a segmentation model, trained on all masks: add "
            f"`{SEGMENTATION}` with `unet` or `fcn8` (`--models ...,unet`)."
        )


def trainings(section: Section) -> str:
    """Say whether intervals and tests cover new trainings beside new test images."""
    seeds = section.units["seed"].nunique()
    if seeds == 1:
        return "One training seed: intervals and tests cover image sampling, not training variance."
    poorly = ", but so few seeds estimate training variance poorly" if seeds < _FEW_SEEDS else ""
    return (
        f"{seeds} training seeds: intervals and tests generalize to new test images and to "
        f"new trainings on the same training sets{poorly}."
    )


def _over_sets(section: Section, run: RunRecord, judged: Mapping[str, Judged]) -> Iterator[str]:
    """Say what the primary metric's interval and tests are where training sets are drawn anew."""
    metric = primary_metric(run)
    if metric is None or not (ranked := order_rows(section, run, judged[metric], metric)):
        return
    found, (leader, *others) = judged[metric], ranked
    if found.over_sets is None:
        yield NO_SETS
        return
    low, high = found.over_sets.low[leader], found.over_sets.high[leader]
    same = [at for at in others if not found.over_sets.p[leader, at] < LEVEL]
    compared = "; significantly different from all other rows" if others else ""
    if same:
        compared = f"; not significantly different from it: {names_of(section, same)}"
    yield (
        f"{OVER_SETS}, by {header(run, metric)}: "
        f"{name_of(section, leader)} {span(low, high)}{compared}."
    )
