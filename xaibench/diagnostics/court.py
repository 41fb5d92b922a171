"""The court: does a metric rank maps by what the network really uses?

The network's rule is planted (`planted`), so that the pixels it uses are known. Maps are made that
show these pixels, or another structure, or a place at random, in known shares; a metric that
measures faithfulness puts them into the order of those shares, whatever the rule is.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from xaibench.core.errors import XaibenchError
from xaibench.core.maps import OK, finish
from xaibench.core.metric_words import RUN_WORDS
from xaibench.core.plugin import Bound
from xaibench.core.resemblance import Floats
from xaibench.diagnostics.planted import RULES, Phantoms, Planted, draw_phantoms
from xaibench.explaining.batch import ImageBatch, Maps
from xaibench.explaining.evidence import evidence_of
from xaibench.explaining.score import score_batch

COLUMNS = ["metric", *RULES, "verdict", "same_verdict"]
PASS, PLACE = "follows the network", "follows the annotation"
FAIL, UNSURE = "follows neither", "not decided"
_FOLLOWS, _DIGITS = 0.55, 6
# Of other draws of the phantoms, how many must come to the same verdict.
_DRAWS, _SURE = 500, 0.95
_SHARES = (0.0, 0.25, 0.5, 0.75)
_BLUR = [7, 7], [1.5, 1.5]
_FAMILIES = ("localization", "faithfulness")


class _Map(NamedTuple):
    """Maps of all images, and the share of them that lies where the network looks."""

    share: float
    maps: Maps


def court(metrics: Sequence[Bound], *, images: int, seed: int) -> Iterator[dict[str, object]]:
    """Yield a line of `COLUMNS` for each metric of localization or faithfulness.

    Under each rule is Somers' D of the metric's means, turned so that higher is better, given
    the shares of the maps that lie on what the network uses: of the pairs of maps whose shares
    differ, those in the right order less those in the wrong one. 1 for a metric that ranks by the
    truth, 0 for one that can't tell. ``same_verdict`` is the share of bootstrap draws of the
    phantoms that come to the most frequent verdict; below 0.95 nothing is decided. Metrics that ask
    the method again, fail here or are undefined have no line.

    Args:
        metrics: which.
        images: phantoms.
        seed: of the phantoms and of what is random about the maps.
    """
    phantoms = draw_phantoms(images, seed)
    trials = {rule: (_batch(phantoms, rule), _maps(phantoms, rule, seed)) for rule in RULES}
    shares = [each.share for each in trials[next(iter(RULES))][1]]
    for metric in metrics:
        about = metric.plugin
        if about.traits.family in _FAMILIES and not RUN_WORDS & {*about.signature.words}:
            try:
                scores = {rule: _scores(metric, *trial) for rule, trial in trials.items()}
            except XaibenchError:
                continue
            if not any(np.isnan(each).all(axis=1).any() for each in scores.values()):
                yield {"metric": metric.spec, **_try(scores, shares, seed)}


def _try(scores: dict[str, Floats], shares: Sequence[float], seed: int) -> dict[str, object]:
    """Return the figures by rule, the verdict, and how many draws of phantoms come to it."""
    images = next(iter(scores.values())).shape[1]
    drawn = np.random.default_rng(seed).integers(images, size=(_DRAWS, images))
    verdicts = Counter(
        _verdict({rule: _somers_d(each[:, rows], shares) for rule, each in scores.items()})
        for rows in drawn
    )
    ((verdict, count),) = verdicts.most_common(1)
    figures = {rule: round(_somers_d(each, shares), 2) for rule, each in scores.items()}
    sure = count / _DRAWS
    return {**figures, "verdict": verdict if sure >= _SURE else UNSURE, "same_verdict": sure}


def _verdict(found: dict[str, float]) -> str:
    if min(found.values()) >= _FOLLOWS:
        return PASS
    return PLACE if found["lesion"] >= _FOLLOWS and found["shortcut"] < 0 else FAIL


def _batch(phantoms: Phantoms, rule: str) -> ImageBatch:
    network = Planted(rule, phantoms)

    def predict(images: Tensor) -> Tensor:
        logits: Tensor = network(images)
        return logits.softmax(dim=1)

    images, count = phantoms.images, len(phantoms.images)
    shown = torch.ones(count, dtype=torch.long)
    return ImageBatch(
        ids=[f"phantom{at}" for at in range(count)],
        images=images,
        masks=phantoms.regions[:, 0].to(torch.int8),
        annotated=[True] * count,
        targets={"label": shown, "predicted": shown},
        predict=predict,
        respond=network,
    )


def _maps(phantoms: Phantoms, rule: str, seed: int) -> list[_Map]:
    """Make maps: what is used, and mixtures with one thing that isn't, by shares of the mass."""
    used = phantoms.regions[:, RULES[rule]].any(dim=1)
    unused = [at for at in range(phantoms.regions.shape[1]) if at not in RULES[rule]]
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(used.shape, generator=generator)
    others = [phantoms.regions[:, unused[0]], phantoms.regions[:, unused[-1]]]
    spread = [_even(each) for each in others] + [_even(_smooth(noise) ** 8)]
    made = [(1.0, _even(used))]
    for other in spread:
        made += [(share, share * _even(used) + (1 - share) * other) for share in _SHARES]
    return [_Map(share, _finished(values)) for share, values in made]


def _even(values: Tensor) -> Tensor:
    """Blur maps, and give each the mass 1."""
    smooth = _smooth(values.float())
    return smooth / smooth.sum(dim=(1, 2), keepdim=True)


def _smooth(values: Tensor) -> Tensor:
    found: Tensor = gaussian_blur(values[:, None], *_BLUR)[:, 0]
    return found


def _finished(values: Tensor) -> Maps:
    maps, _ = finish(values, (values.shape[1], values.shape[2]))
    return Maps(maps, [OK] * len(maps))


def _scores(metric: Bound, batch: ImageBatch, made: Sequence[_Map]) -> Floats:
    """Return scores ``(maps, images)``, higher is better."""
    found = []
    for each in made:
        evidence = evidence_of(dict.fromkeys(batch.targets, each.maps), batch)
        scores = score_batch([metric], evidence, lambda _: "label")
        found.append([score.value for score in scores])
        batch.together.clear()
    return np.array(found) * (1 if metric.higher_is_better else -1)


def _somers_d(scores: Floats, shares: Sequence[float]) -> float:
    """Return Somers' D of the maps' means given the order of their shares; NaN counts as a tie."""
    known = ~np.isnan(scores)
    means = np.where(known, scores, 0).sum(axis=1) / known.sum(axis=1).clip(1)
    means = np.where(known.any(axis=1), means.round(_DIGITS), np.nan)
    order = np.sign(np.subtract.outer(shares, shares))
    found = np.nan_to_num(np.sign(np.subtract.outer(means, means)))
    return float((order * found).sum() / np.abs(order).sum())
