"""The court: does a metric rank maps by what the network really uses?

The network's rule is planted (`planted`), so that the pixels it uses are known. Maps are made that
show these pixels, or another structure, or a place at random, in known shares; a metric that
measures faithfulness puts them into the order of those shares, whatever the rule is.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from xaibench.core.errors import XaibenchError
from xaibench.core.maps import OK, finish
from xaibench.core.plugin import Bound
from xaibench.diagnostics.planted import RULES, Phantoms, Planted, draw_phantoms
from xaibench.explaining.batch import ImageBatch, Maps
from xaibench.explaining.evidence import evidence_of
from xaibench.explaining.score import score_batch

COLUMNS = ["metric", *RULES, "verdict"]
PASS, PLACE = "follows the network", "follows the annotation"
FAIL = "follows neither"
_FOLLOWS, _DIGITS = 0.55, 6
_SHARES = (0.0, 0.25, 0.5, 0.75)
_BLUR = [7, 7], [1.5, 1.5]
# These ask for what maps alone don't have.
_ASKS_THE_METHOD = frozenset({"explain", "tuned_threshold"})
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
    truth, 0 for one that can't tell. Metrics that ask the method again, fail here or are undefined
    have no line.

    Args:
        metrics: which.
        images: phantoms.
        seed: of the phantoms and of what is random about the maps.
    """
    phantoms = draw_phantoms(images, seed)
    trials = {rule: (_batch(phantoms, rule), _maps(phantoms, rule, seed)) for rule in RULES}
    for metric in metrics:
        about = metric.plugin
        if about.traits.family in _FAMILIES and not _ASKS_THE_METHOD & {*about.signature.words}:
            try:
                found = {rule: _agreement(metric, *trial) for rule, trial in trials.items()}
            except XaibenchError:
                continue
            if not np.isnan(list(found.values())).any():
                yield {"metric": metric.spec, **found, "verdict": _verdict(found)}


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


def _agreement(metric: Bound, batch: ImageBatch, made: Sequence[_Map]) -> float:
    means: list[float] = []
    for each in made:
        evidence = evidence_of(dict.fromkeys(batch.targets, each.maps), batch)
        scores = score_batch([metric], evidence, lambda _: "label")
        known = [score.value for score in scores if not np.isnan(score.value)]
        means.append(float(np.mean(known)) if known else np.nan)
        batch.together.clear()
    way = 1 if metric.higher_is_better else -1
    order = np.sign(np.subtract.outer(*[[each.share for each in made]] * 2))
    found = np.sign(np.subtract.outer(*[way * np.round(means, _DIGITS)] * 2))
    return round(float((order * found).sum() / np.abs(order).sum()), 2)
