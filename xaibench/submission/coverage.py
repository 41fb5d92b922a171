"""What submitted maps cover: which metrics they can serve, and which images have none."""

from collections.abc import Mapping, Sequence

from xaibench.core.data import Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.metric_words import RUN_WORDS
from xaibench.core.plugin import Bound
from xaibench.explaining.tuned import TUNED
from xaibench.results.records import Skip
from xaibench.running.plan import Plan
from xaibench.submission.cell import SubmittedCell
from xaibench.submission.checks import name_some
from xaibench.submission.entry import Submission
from xaibench.submission.setting import Setting

# All other words are the network's.
_NEED_NO_NETWORK = frozenset({"maps", "masks", "images", "generator", TUNED})


def drop_metrics(
    setting: Setting, plan: Plan, cells: Sequence[SubmittedCell], submission: Submission
) -> None:
    """Take out of a plan what these maps can't be scored by, and say why.

    Raises:
        XaibenchError: nothing is left.
    """
    reasons = {m.spec: _why_not(setting, m, cells, submission) for m in plan.metrics}
    plan.skips += [Skip(spec, reason) for spec, reason in reasons.items() if reason]
    plan.metrics = [metric for metric in plan.metrics if not reasons[metric.spec]]
    setting.metrics = plan.metrics
    if not plan.metrics:
        said = "; ".join(f"{skip.what}: {skip.reason}" for skip in plan.skips)
        raise XaibenchError(f"{submission.file.path}: no metric can score these maps ({said}).")


def _why_not(
    setting: Setting, metric: Bound, cells: Sequence[SubmittedCell], submission: Submission
) -> str | None:
    words, kind = set(metric.plugin.signature.words), setting.target_of(metric)
    if words & RUN_WORDS - {TUNED}:
        return "it explains further images, which a file of maps can't"
    if not setting.network_known:
        if words - _NEED_NO_NETWORK:
            return "it asks the network that the maps explain; name it with --model"
        if kind not in submission.kinds:
            return (
                f"it scores maps of the {kind} class, and these explain the other; say --explains "
                "both if they don't depend on the class, or name the network with --model"
            )
    untuned = [name for cell in cells for name, key in cell.tuned_on.items() if key is None]
    if TUNED in words and untuned:
        return (
            f"its threshold is tuned on validation images, and {len(untuned)} of them have no map "
            f"({name_some(untuned)})"
        )
    return None


def find_missing(
    setting: Setting,
    plan: Plan,
    cells: Sequence[SubmittedCell],
    submission: Submission,
    *,
    allow: bool,
) -> list[str]:
    """Return what to warn of where test images have no map.

    Raises:
        XaibenchError: they are not allowed to be missing.
    """
    path, found = submission.file.path, []
    tested = [sample.id for cell in cells for sample in cell.test]
    absent = [name for name in tested if name not in submission.samples]
    if absent:
        found.append(
            f"{len(absent)} of {len(tested)} test images have no map ({name_some(absent)})"
        )
        if not allow:
            raise XaibenchError(
                f"{path}: {found[0]}; add them, or count them as undefined: --allow-missing."
            )
    for kind in _kinds(setting, plan):
        other = [
            name
            for cell in cells
            for name, key in cell.keys(kind).items()
            if key is None and name in submission.samples
        ]
        if other:
            found.append(
                f"{len(other)} of {len(tested)} test images have no map of their {kind} class "
                f"({name_some(other)})"
            )
            if not allow:
                raise XaibenchError(
                    f"{path}: {found[-1]}, where the network errs; add '{kind}/<id>', say "
                    "--explains both if the maps don't depend on the class, or --allow-missing."
                )
    return found


def maps_used(setting: Setting, plan: Plan, cells: Sequence[SubmittedCell]) -> Mapping[str, Sample]:
    """Return the keys of all maps that test images are scored by, with their samples."""
    return {
        key: sample
        for cell in cells
        for kind in _kinds(setting, plan)
        for sample, key in zip(cell.test, cell.keys(kind).values(), strict=True)
        if key is not None
    }


def _kinds(setting: Setting, plan: Plan) -> list[str]:
    return list(dict.fromkeys(map(setting.target_of, plan.metrics)))
