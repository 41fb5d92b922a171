"""Gaming: can a metric be won by maps that no network had a part in?"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from xaibench.core.metric_words import RUN_WORDS
from xaibench.core.plugin import Bound
from xaibench.core.resemblance import Floats
from xaibench.diagnostics.blind_maps import Recipe, make_maps, recipes
from xaibench.diagnostics.finding import FAIL, PASS, UNDECIDED, Finding
from xaibench.diagnostics.interval import interval
from xaibench.diagnostics.subject import Subject
from xaibench.explaining.batch import ImageBatch, Maps
from xaibench.explaining.evidence import evidence_of
from xaibench.explaining.score import score_batch

NAME = "gaming"
TRIES = 200
_SAID = {FAIL: "beats", PASS: "is worse than", UNDECIDED: "isn't significantly different from"}


def gaming(subject: Subject, metrics: Sequence[Bound], tries: int = TRIES) -> Iterator[Finding]:
    """Yield a verdict on each ranked metric of a run.

    Maps are looked for on one half of the images, and the best of them compared on the other half
    with the method that is best there: the metric is won where it is better beyond a 95 % bootstrap
    interval of the paired difference, and holds where it is worse.
    """
    average, parts = subject.mean_mask(), [_half(subject, which) for which in (0, 1)]
    for metric in metrics:
        words = set(metric.plugin.signature.words)
        if metric.plugin.traits.ranked and not words & RUN_WORDS:
            yield _try_to_win(subject, metric, parts, average, tries)


def _try_to_win(
    subject: Subject,
    metric: Bound,
    parts: Sequence[Sequence[ImageBatch]],
    average: Tensor | None,
    tries: int,
) -> Finding:
    searched, kept = parts
    way = 1 if metric.higher_is_better else -1

    def of_recipe(recipe: Recipe) -> Callable[[ImageBatch], Maps]:
        return lambda batch: Maps(*make_maps(recipe, batch.images, batch.masks, average))

    by_truth = "masks" in metric.plugin.signature.words
    drawn = recipes(tries, mean_mask=average is not None, masks=not by_truth)
    tried = [(_mean(way * _score(subject, metric, searched, of_recipe(r))), r) for r in drawn]
    highest, winner = max(tried, key=lambda each: each[0])
    methods = [m for m in subject.methods if m.plugin.traits.family != "control"]
    own = {
        method.spec: way * _score(subject, metric, kept, _stored(subject, method.spec))
        for method in methods
    }
    best = max(own, key=lambda spec: _mean(own[spec]), default="")
    if not best or np.isinf([highest, _mean(own[best])]).any():
        why = "there is no method, or no map, with a value"
        return Finding(NAME, subject.name, "all", metric.spec, 0, verdict=UNDECIDED, why=why)
    found = way * _score(subject, metric, kept, of_recipe(winner))
    groups = [group for at, group in enumerate(subject.groups) if at % 2]
    low, high = interval(found - own[best], groups)
    verdict = FAIL if low > 0 else PASS if high < 0 else UNDECIDED
    ours, theirs = way * _mean(found), way * _mean(own[best])
    why = (
        f"the best of {tries} maps without a network, {winner.title}, scores {ours:.3g} and "
        f"{_SAID[verdict]} {best}, {theirs:.3g}"
    )
    values = {"value": ours, "best_method": theirs, "low": low, "high": high}
    return Finding(NAME, subject.name, "all", metric.spec, len(groups), values, verdict, why)


def _mean(values: Floats) -> float:
    """Return the mean over what is defined, the worst value there is where nothing is."""
    return -np.inf if np.isnan(values).all() else float(np.nanmean(values))


def _half(subject: Subject, which: int) -> list[ImageBatch]:
    """Return every other image."""
    parts, first = [], 0
    for batch in subject.batches:
        rows = [row for row in range(len(batch.ids)) if (first + row) % 2 == which]
        first += len(batch.ids)
        if rows:
            parts.append(_some(batch, rows))
    return parts


def _some(batch: ImageBatch, rows: Sequence[int]) -> ImageBatch:
    return replace(
        batch,
        ids=[batch.ids[row] for row in rows],
        images=batch.images[rows],
        masks=batch.masks[rows],
        annotated=[batch.annotated[row] for row in rows],
        targets={kind: classes[rows] for kind, classes in batch.targets.items()},
        lost_masks=[batch.lost_masks[row] for row in rows] if batch.lost_masks else (),
        originals=(),
        together=defaultdict(list),
    )


def _stored(subject: Subject, spec: str) -> Callable[[ImageBatch], Maps]:
    """Return a method's maps of any of the images."""
    names = [name for batch in subject.batches for name in batch.ids]
    maps, place = subject.maps[spec], {name: at for at, name in enumerate(names)}

    def find(batch: ImageBatch) -> Maps:
        rows = [place[name] for name in batch.ids]
        return Maps(maps.values[rows], [maps.statuses[row] for row in rows])

    return find


def _score(
    subject: Subject,
    metric: Bound,
    batches: Sequence[ImageBatch],
    maps_of: Callable[[ImageBatch], Maps],
) -> Floats:
    """Return a metric's values of some images, ``(B,)``."""
    values: list[float] = []
    for batch in batches:
        evidence = evidence_of({subject.kind: maps_of(batch)}, batch)
        scores = score_batch([metric], evidence, lambda _: subject.kind)
        values += [score.value for score in scores]
        batch.together.clear()
    return np.array(values)
