"""The court: does a metric rank maps by what the network really uses?

The network's rule is planted (`planted`), so that the pixels it uses are known. Maps are made that
show these pixels, or another structure, or a place at random, in known shares; a metric that
measures faithfulness puts them into the order of those shares, whatever the rule is.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
# Of draws of the phantoms, over all seeds, how many must come to the same verdict.
_DRAWS, _SURE = 500, 0.95
_SHARES = (0.0, 0.25, 0.5, 0.75)
_BLUR = [7, 7], [1.5, 1.5]
_FAMILIES = ("localization", "faithfulness")


class _Map(NamedTuple):
    """Maps of all images, and the share of them that lies where the network looks."""

    share: float
    maps: Maps


_Trials = Mapping[str, tuple[ImageBatch, list[_Map]]]
"""What is tried under each rule, of one seed."""


def court(
    metrics: Sequence[Bound], *, images: int, seeds: Sequence[int]
) -> Iterator[dict[str, object]]:
    """Yield a line of `COLUMNS` for each metric of localization or faithfulness.

    Under each rule is Somers' D of the metric's means, turned so that higher is better, given
    the shares of the maps that lie on what the network uses: of the pairs of maps whose shares
    differ, those in the right order less those in the wrong one. 1 for a metric that ranks by the
    truth, 0 for one that can't tell; the mean over seeds. ``same_verdict`` is the share of
    bootstrap draws of the phantoms, over all seeds, that come to the most frequent verdict; below
    0.95 nothing is decided. Metrics that ask the method again, fail here or are undefined have no
    line.

    Args:
        metrics: which.
        images: phantoms of each seed.
        seeds: of the phantoms and of what is random about the maps.
    """
    trials = [_prepare(images, seed) for seed in seeds]
    shares = [made.share for made in trials[0][next(iter(RULES))][1]]
    for metric in metrics:
        about = metric.plugin
        if about.traits.family in _FAMILIES and not RUN_WORDS & {*about.signature.words}:
            try:
                scores = [
                    {rule: _scores(metric, *trial) for rule, trial in each.items()}
                    for each in trials
                ]
            except XaibenchError:
                continue
            if not any(
                np.isnan(found).all(axis=1).any() for each in scores for found in each.values()
            ):
                yield {"metric": metric.spec, **_try(scores, shares, seeds)}


def _prepare(images: int, seed: int) -> _Trials:
    phantoms = draw_phantoms(images, seed)
    return {rule: (_batch(phantoms, rule), _maps(phantoms, rule, seed)) for rule in RULES}


def _try(
    scores: Sequence[Mapping[str, Floats]], shares: Sequence[float], seeds: Sequence[int]
) -> dict[str, object]:
    """Return the figures by rule, the verdict, and how many draws of phantoms come to it."""
    verdicts: Counter[str] = Counter()
    for found, seed in zip(scores, seeds, strict=True):
        images = next(iter(found.values())).shape[1]
        for rows in np.random.default_rng(seed).integers(images, size=(_DRAWS, images)):
            drawn = {rule: _somers_d(each[:, rows], shares) for rule, each in found.items()}
            verdicts[_verdict(drawn)] += 1
    ((verdict, count),) = verdicts.most_common(1)
    figures = {
        rule: round(float(np.mean([_somers_d(found[rule], shares) for found in scores])), 2)
        for rule in scores[0]
    }
    sure = count / verdicts.total()
    said = verdict if sure >= _SURE else UNSURE
    return {**figures, "verdict": said, "same_verdict": round(sure, 3)}


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
