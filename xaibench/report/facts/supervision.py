"""What a row's maps learned from: declared by its method, or recorded for its network."""

from collections.abc import Iterable, Sequence

from xaibench.core.supervision import Supervision, strongest
from xaibench.results.records import ModelEntry, RunRecord

SEGMENTATION = "segmentation"
"""The method whose row is the upper bound of skill."""


def supervision_of(
    run: RunRecord, dataset: str, rows: Sequence[Sequence[str]]
) -> list[Supervision | None]:
    """Return what each row's maps learned from; None of controls, and where nobody says it.

    Args:
        run: ``run.json``.
        dataset: the section's.
        rows: (model, method) of all of its rows.
    """
    before = _readers(run, rows)
    return [
        None if run.kind_of(method) == "control" else _of_row(run, dataset, model, method, before)
        for model, method in rows
    ]


def origin_of(run: RunRecord, method: str, share: float) -> str:
    """Return where a row's maps come from: ``post-hoc``, ``inherent`` or ``learned``.

    Inherent is what the network itself computes without having been taught where to look.

    Args:
        run: ``run.json``.
        method: of the row, no control.
        share: of the masks or boxes that it has learned from, NaN without any.
    """
    learned = run.kind_of(method) == "learned"
    if run.methods[method].family == "inherent" or (learned and not share > 0):
        return "inherent"
    return "learned" if learned else "post-hoc"


def is_upper_bound(run: RunRecord, dataset: str, model: str, method: str) -> bool:
    """Whether a row is the upper bound of skill: a segmentation network that saw all masks."""
    if method != SEGMENTATION:
        return False
    (found,) = supervision_of(run, dataset, [(model, method)])
    return found is not None and found.localizes and found.share == 1


def _of_row(
    run: RunRecord, dataset: str, model: str, method: str, before: set[str]
) -> Supervision | None:
    traits = run.methods[method]
    if traits.supervision:
        return traits.supervision
    if traits.mask_fraction:  # of submitted maps
        return Supervision("masks", traits.mask_fraction)
    recorded = run.of_dataset(dataset).supervision
    if model in recorded:
        return strongest(recorded[model], traits.learned)
    return strongest(_guess(run, dataset, model, masks=model in before), traits.learned)


def _guess(run: RunRecord, dataset: str, model: str, *, masks: bool) -> Supervision:
    """Return what a model learned from in runs that were stored before it was recorded."""
    about = run.models.get(model, ModelEntry())
    if about.all_masks:
        return Supervision("masks")
    if masks and (share := run.of_dataset(dataset).mask_fraction):
        return Supervision("masks", share)
    return Supervision("labels" if about.classifies else "none")


def _readers(run: RunRecord, rows: Iterable[Sequence[str]]) -> set[str]:
    """Return the models whose own saliency a learned method reads; submitted maps read none."""
    return {
        model
        for model, method in rows
        if run.kind_of(method) == "learned" and run.methods[method].mask_fraction is None
    }
