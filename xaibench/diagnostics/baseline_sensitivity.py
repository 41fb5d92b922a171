"""Baseline sensitivity: does what is in the covered place decide which method wins?"""

import typing
from collections.abc import Iterator, Sequence
from itertools import combinations, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from xaibench.core.plugin import Bound
from xaibench.core.registry import bind
from xaibench.core.resemblance import Floats
from xaibench.diagnostics.finding import FAIL, PASS, UNDECIDED, Finding
from xaibench.diagnostics.interval import ENDS, resampled_means
from xaibench.diagnostics.subject import Subject
from xaibench.explaining.batch import Maps
from xaibench.explaining.evidence import evidence_of
from xaibench.explaining.score import score_batch

NAME = "baseline_sensitivity"
# At 0.5 a quarter of all pairs of methods have changed places.
_LEAST_TAU = 0.5
_FEWEST = 2
# The options that say how an image is covered.
_WAYS = ("baseline", "by")


class Agreement(NamedTuple):
    """How two ways of covering rank the same methods.

    Attributes:
        tau: Kendall's rank correlation (tau-b); NaN where one of them ranks all methods alike.
        swaps: pairs of methods in opposite order.
        clear_swaps: those of them whose order is beyond chance both ways.
        winners: the best method under each, by its number.
        winners_swap: whether the two winners are such a pair.
    """

    tau: float
    swaps: int
    clear_swaps: int
    winners: tuple[int, int]
    winners_swap: bool


def agreement(ours: Floats, theirs: Floats, groups: Sequence[str]) -> Agreement:
    """Compare two tables of values ``(B, M)``, higher is better, of the same images and methods.

    An order is beyond chance where the 95 % bootstrap interval of the paired difference leaves out
    zero.
    """
    means = [np.nanmean(values, axis=0) for values in (ours, theirs)]
    ahead = [mean[:, None] > mean for mean in means]
    draws = resampled_means(np.hstack([ours, theirs]), groups)
    clear = [_clearly_ahead(part) for part in np.split(draws, 2, axis=1)]
    # Among the best of one table, the best of the other: a tie is no other winner.
    first, second = (int(np.lexsort(keys)[-1]) for keys in (means[::-1], means))
    clear_swaps = clear[0] & clear[1].T
    return Agreement(
        tau=float(kendalltau(*means).statistic),
        swaps=int((ahead[0] & ahead[1].T).sum()),
        clear_swaps=int(clear_swaps.sum()),
        winners=(first, second),
        winners_swap=bool(clear_swaps[first, second]),
    )


def verdict_of(found: Sequence[Agreement]) -> tuple[str, str]:
    """Return the verdict on several comparisons, and why.

    They pass where the winner stays and tau is 0.5 or more in all. They fail where, in one that
    doesn't, the winners, or for a low tau any two methods, change places beyond chance. Else there
    are too few images to tell.
    """
    off = [each for each in found if not (_stays(each) and each.tau >= _LEAST_TAU)]
    taus = [each.tau for each in found if not np.isnan(each.tau)]
    ranked = f"tau {min(taus):.2f} to {max(taus):.2f}" if taus else "all methods tie"
    why = (
        f"{ranked}, the winner stays in "
        f"{sum(map(_stays, found))} of {len(found)} comparisons, "
        f"{max(each.clear_swaps for each in found)} pairs of methods change places beyond chance"
    )
    if not off:
        return PASS, why
    clear = any(
        each.winners_swap or (each.clear_swaps and not each.tau >= _LEAST_TAU) for each in off
    )
    return (FAIL if clear else UNDECIDED), why


def baseline_sensitivity(subject: Subject, metrics: Sequence[Bound]) -> Iterator[Finding]:
    """Yield a row for each two ways of covering that differ in one option, then the verdict on it.

    Compared are the methods that aren't controls, under those of the run's faithfulness metrics
    that cover images, on the stored maps.
    """
    methods = [m for m in subject.methods if m.plugin.traits.family != "control"]
    names = dict.fromkeys(m.plugin.name for m in metrics if "baseline" in _options(m))
    ways = {name: _ways(name) for name in names}
    if len(methods) < _FEWEST:
        for name in names:
            why = "there is no second method to rank"
            yield Finding(NAME, subject.name, "all", name, 0, verdict=UNDECIDED, why=why)
        return
    tables = _measure(subject, methods, [metric for way in ways.values() for metric, _ in way])
    for name, key in product(names, _WAYS):
        compared: list[Agreement] = []
        for (one, first), (other, second) in combinations(ways[name], 2):
            if [each for each in first if first[each] != second[each]] == [key]:
                found = agreement(tables[one.spec], tables[other.spec], subject.groups)
                compared.append(found)
                yield _tell(subject, methods, one, other, found)
        if compared:
            verdict, why = verdict_of(compared)
            stage = f"{name}, whatever '{key}' is"
            yield Finding(
                NAME, subject.name, "all", stage, len(subject.groups), verdict=verdict, why=why
            )


def _stays(found: Agreement) -> bool:
    return found.winners[0] == found.winners[1]


def _clearly_ahead(draws: Floats) -> NDArray[np.bool_]:
    """Return ``(M, M)``: whether a method's mean is above another's in all but 2.5 % of draws."""
    low, _ = np.nanquantile(draws[:, :, None] - draws[:, None, :], ENDS, axis=0)
    ahead: NDArray[np.bool_] = low > 0
    return ahead


def _options(metric: Bound) -> typing.Mapping[str, object]:
    return metric.plugin.signature.options


def _ways(name: str) -> list[tuple[Bound, dict[str, str]]]:
    """Return a metric under all combinations of the options that say how to cover."""
    options = bind("metric", name).plugin.signature.options
    keys = [key for key in _WAYS if key in options]
    choices = [typing.get_args(options[key].type) for key in keys]
    ways = [dict(zip(keys, chosen, strict=True)) for chosen in product(*choices)]
    return [
        (bind("metric", f"{name}[{','.join(f'{k}={v}' for k, v in way.items())}]"), way)
        for way in ways
    ]


def _measure(
    subject: Subject, methods: Sequence[Bound], metrics: Sequence[Bound]
) -> dict[str, Floats]:
    """Return each metric's values ``(B, M)``, turned so that higher is better."""
    parts: dict[str, list[Floats]] = {metric.spec: [] for metric in metrics}
    first = 0
    for batch in subject.batches:
        last = first + len(batch.ids)
        # All are gathered before the first is scored, as they share passes then.
        evidence = [
            evidence_of({subject.kind: _part(subject.maps[m.spec], first, last)}, batch)
            for m in methods
        ]
        for metric in metrics:
            columns = [score_batch([metric], e, lambda _: subject.kind) for e in evidence]
            values = np.array([[score.value for score in column] for column in columns]).T
            parts[metric.spec].append(values if metric.higher_is_better else -values)
        first = last
    return {spec: np.concatenate(rows) for spec, rows in parts.items()}


def _part(maps: Maps, first: int, last: int) -> Maps:
    return Maps(maps.values[first:last], maps.statuses[first:last])


def _tell(
    subject: Subject, methods: Sequence[Bound], one: Bound, other: Bound, found: Agreement
) -> Finding:
    best = [methods[number].spec for number in found.winners]
    values: dict[str, float | str] = {
        "tau": found.tau, "swaps": found.swaps, "clear_swaps": found.clear_swaps,
        "winners": " / ".join(best),
    }  # fmt: skip
    stage = f"{one.spec} against {other.spec}"
    return Finding(NAME, subject.name, "all", stage, len(subject.groups), values)
