"""What ``run.json`` says of methods, metrics and datasets, so that no table needs a plugin."""

import math
from collections.abc import Mapping
from typing import Any

from xaibench.core.errors import XaibenchError

FAMILIES = ("localization", "faithfulness", "complexity")

Run = Mapping[str, Any]


def kind_of(method: str, run: Run) -> str:
    """Return ``method``, ``learned`` or ``control``.

    Raises:
        XaibenchError: the run doesn't list the method.
    """
    if method not in run["methods"]:
        raise XaibenchError(
            f"the scores hold method '{method}', but run.json doesn't list it: another run wrote "
            "it; repeat the run's command."
        )
    family = run["methods"][method]["family"]
    return family if family in ("learned", "control") else "method"


def is_blind(method: str, run: Run) -> bool:
    """Whether a control looks at nothing of the image."""
    return kind_of(method, run) == "control" and bool(run["methods"][method]["blind"])


def metrics_of(run: Run, family: str, *, ranked: bool | None = None) -> list[str]:
    """Return a family's metrics; only those that are ranked, or that never are, where asked."""
    return [
        name
        for name, traits in run["metrics"].items()
        if traits["family"] == family and ranked in (None, traits.get("ranked", True))
    ]


def headlines(run: Run) -> list[str]:
    """Return the first ranked metrics of localization and faithfulness: what is spoken of.

    Complexity is judged only where nothing else is: a random pixel is as sparse as can be.
    """
    firsts = [names[0] for family in FAMILIES if (names := metrics_of(run, family, ranked=True))]
    return [name for name in firsts if run["metrics"][name]["family"] != FAMILIES[-1]] or firsts


def higher_is_better(run: Run, metric: str) -> bool:
    """Return a metric's direction."""
    return bool(run["metrics"][metric]["higher_is_better"])


def sign(run: Run, metric: str) -> int:
    """Return 1 where higher is better, and -1."""
    return 1 if higher_is_better(run, metric) else -1


def bounds_of(run: Run, metric: str) -> tuple[float, float]:
    """Return the smallest and largest value possible; JSON has no infinity and says null."""
    low, high = run["metrics"][metric]["bounds"]
    return -math.inf if low is None else low, math.inf if high is None else high


def is_pooled(run: Run, metric: str) -> bool:
    """Whether a metric has one value for all images together."""
    return str(run["metrics"][metric].get("estimand", "")).startswith("pooled")


def header(run: Run, metric: str) -> str:
    """Return name, direction and, for a pooled estimand, a mark.

    >>> header({"metrics": {"pxap": {"higher_is_better": True, "estimand": "pooled"}}}, "pxap")
    'pxap ↑ ‡'
    """
    mark = " ‡" if is_pooled(run, metric) else ""
    return f"{metric} {'↑' if higher_is_better(run, metric) else '↓'}{mark}"


def of_dataset(run: Run, dataset: str, name: str) -> Any:
    """Return ``classes`` or ``mask_fraction`` of a dataset; a merged run has several."""
    return run.get("datasets", {}).get(dataset, run)[name]
