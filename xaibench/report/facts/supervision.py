"""What a row's maps learned from: declared by its method, or recorded for its network."""

from collections.abc import Iterable, Sequence

from xaibench.core.supervision import Supervision, of_record
from xaibench.report.facts.traits import Run, kind_of, of_dataset

SEGMENTATION = "segmentation"
"""The method whose row is the upper bound of skill."""


def supervision_of(
    run: Run, dataset: str, rows: Sequence[Sequence[str]]
) -> list[Supervision | None]:
    """Return what each row's maps learned from; None of controls, and where nobody says it.

    Args:
        run: ``run.json``.
        dataset: the section's.
        rows: (model, method) of all of its rows.
    """
    before = _readers(run, rows)
    return [
        None if kind_of(method, run) == "control" else _of_row(run, dataset, model, method, before)
        for model, method in rows
    ]


def is_upper_bound(run: Run, dataset: str, model: str, method: str) -> bool:
    """Whether a row is the upper bound of skill: a segmentation network that saw all masks."""
    if method != SEGMENTATION:
        return False
    (found,) = supervision_of(run, dataset, [(model, method)])
    return found is not None and found.localizes and found.share == 1


def _of_row(
    run: Run, dataset: str, model: str, method: str, before: set[str]
) -> Supervision | None:
    traits = run["methods"][method]
    if own := of_record(traits.get("supervision")):
        return own
    if share := traits.get("mask_fraction"):  # of submitted maps
        return Supervision("masks", float(share))
    recorded = run.get("datasets", {}).get(dataset, run).get("supervision", {})
    if model in recorded:
        return of_record(recorded[model])
    return _guess(run, dataset, model, masks=model in before)


def _guess(run: Run, dataset: str, model: str, *, masks: bool) -> Supervision:
    """Return what a model learned from in runs that were stored before it was recorded."""
    about = run.get("models", {}).get(model, {})
    if about.get("all_masks"):
        return Supervision("masks")
    if masks and (share := float(of_dataset(run, dataset, "mask_fraction"))):
        return Supervision("masks", share)
    return Supervision("labels" if about.get("classifies", True) else "none")


def _readers(run: Run, rows: Iterable[Sequence[str]]) -> set[str]:
    """Return the models whose own saliency a learned method reads; submitted maps read none."""
    return {
        model
        for model, method in rows
        if kind_of(method, run) == "learned" and "mask_fraction" not in run["methods"][method]
    }
