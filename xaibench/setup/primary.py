"""The primary metric of a run: chosen before it, and tested alone."""

from collections.abc import Sequence

from xaibench.core.errors import XaibenchError
from xaibench.core.plugin import Bound
from xaibench.core.registry import bind

_ORDER = {"localization": 0, "faithfulness": 1}


def primary_of(name: str, metrics: Sequence[Bound]) -> str:
    """Return the full name of the metric that ``--primary`` names; empty where it names none.

    Raises:
        XaibenchError: it is none of the run's metrics, or never ranks.
    """
    if not name:
        return ""
    named = bind("metric", name)
    if named.spec not in [metric.spec for metric in metrics]:
        raise XaibenchError(
            f"--primary {name}: name one of the --metrics "
            f"({', '.join(metric.spec for metric in metrics)})."
        )
    if not named.plugin.traits.ranked:
        raise XaibenchError(f"--primary {name}: it never ranks; name one that does.")
    return named.spec


def usual_primary(metrics: Sequence[Bound]) -> str:
    """Return the first metric of localization that ranks, or of another family; else nothing."""
    ranked = [metric for metric in metrics if metric.plugin.traits.ranked]
    first = min(
        ranked,
        key=lambda metric: _ORDER.get(metric.plugin.traits.family, len(_ORDER)),
        default=None,
    )
    return first.spec if first else ""
