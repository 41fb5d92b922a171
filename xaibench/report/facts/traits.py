"""Which of a run's metrics are named first, and what they are called."""

from xaibench.report.facts.dataset_names import bare_dataset_name
from xaibench.report.facts.metric_names import METRIC_NAMES
from xaibench.results.records import RunRecord

FAMILIES = ("localization", "faithfulness", "complexity")


def metrics_of(run: RunRecord, family: str, *, ranked: bool | None = None) -> list[str]:
    """Return a family's metrics; only those that are ranked, or that never are, where asked."""
    return [
        name
        for name, about in run.metrics.items()
        if about.family == family and ranked in (None, about.ranked)
    ]


def headlines(run: RunRecord) -> list[str]:
    """Return the first ranked metrics of localization and faithfulness: what a summary shows.

    A primary metric that was declared stands for its family, and first.
    Complexity is judged only where nothing else is: a random pixel is as sparse as can be.
    """
    firsts = [names[0] for family in FAMILIES if (names := metrics_of(run, family, ranked=True))]
    found = [name for name in firsts if run.metrics[name].family != FAMILIES[-1]] or firsts
    primary = run.protocol.get("primary")
    if not isinstance(primary, str) or primary not in run.metrics:
        return found
    family = run.metrics[primary].family
    return [primary, *(name for name in found if run.metrics[name].family != family)]


def primary_metric(run: RunRecord) -> str | None:
    """Return the metric that was declared before the run, or the first of `headlines`.

    It alone is tested at the level; None where a run has no metric that ranks.
    """
    return next(iter(headlines(run)), None)


def title_of(run: RunRecord) -> str:
    """Return the names of a run's datasets, without the options by which images were selected."""
    return ", ".join(dict.fromkeys(map(bare_dataset_name, run.all_datasets)))


def header(run: RunRecord, metric: str) -> str:
    """Return name, direction and marks: ‡ for a pooled estimand, § where no row may lead.

    That is so where maps without a network win the metric.
    """
    about = run.metrics[metric]
    mark = " ‡" * about.is_pooled + " §" * (metric in (run.won or {}))
    return f"{shown(run, metric)} {'↑' if about.higher_is_better else '↓'}{mark}"


def shown(run: RunRecord, metric: str) -> str:
    """Return the field's name of a metric, with the options: ``Pointing Game[tolerance=0.1]``."""
    name, bracket, options = metric.partition("[")
    title = run.metrics[metric].title or METRIC_NAMES.get(name, name)
    return f"{title}{bracket}{options}"
