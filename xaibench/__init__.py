"""Benchmark saliency methods: train, explain, score, compare.

The names below are imported when first used, so that ``import xaibench`` and the command line's
help are instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xaibench.api import Results, explain, run, score
    from xaibench.callbacks.callback import Callback
    from xaibench.core.batch import Batch
    from xaibench.core.data import Box, Dataset, MaskLayer, Picture, Sample
    from xaibench.core.errors import Unsupported, XaibenchError
    from xaibench.core.findings import Findings, Histogram, Lines, Scatter
    from xaibench.core.model import Classifier, Model, Outputs
    from xaibench.core.registry import analysis, dataset, method, metric, model
    from xaibench.explaining.explainer import Explainer
    from xaibench.report.pictures.show import show
    from xaibench.running.collect import load_scores

__version__ = "0.1.0"

_HOMES = {
    "api": ("Results", "explain", "run", "score"),
    "callbacks.callback": ("Callback",),
    "core.data": ("Box", "Dataset", "MaskLayer", "Picture", "Sample"),
    "core.errors": ("Unsupported", "XaibenchError"),
    "core.findings": ("Findings", "Histogram", "Lines", "Scatter"),
    "core.batch": ("Batch",),
    "core.model": ("Classifier", "Model", "Outputs"),
    "core.registry": ("analysis", "dataset", "method", "metric", "model"),
    "explaining.explainer": ("Explainer",),
    "report.pictures.show": ("show",),
    "running.collect": ("load_scores",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Batch",
    "Box",
    "Callback",
    "Classifier",
    "Dataset",
    "Explainer",
    "Findings",
    "Histogram",
    "Lines",
    "MaskLayer",
    "Model",
    "Outputs",
    "Picture",
    "Results",
    "Sample",
    "Scatter",
    "Unsupported",
    "XaibenchError",
    "__version__",
    "analysis",
    "dataset",
    "explain",
    "load_scores",
    "method",
    "metric",
    "model",
    "run",
    "score",
    "show",
]


def __dir__() -> list[str]:
    """Return the public names, whether they were used already or not."""
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    """Import a public name from where it lives."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'xaibench' has no attribute '{name}'")
    return getattr(import_module(f"xaibench.{_HOME_OF[name]}"), name)
