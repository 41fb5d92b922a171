"""Reproducibility: how alike the maps of one image are that other trainings of a network give.

Maps are compared that explain the same class of the same image by the same method; nothing but the
training differs: its seed, or with repeated folds its training images as well. Stored maps are
read one image at a time, so that memory stays flat.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from xaibench.core.data import Sample
from xaibench.core.maps import finish
from xaibench.core.plugin import Bound
from xaibench.core.resemblance import resemblance, shrink
from xaibench.explaining.choose_images import choose_images
from xaibench.results.folder import PREDICTIONS_FILE
from xaibench.results.maps import MapReader, map_files, map_key
from xaibench.results.tables import ALL_PAIRS, REPRODUCIBILITY
from xaibench.setup.cells import Ledger, ledgers_of
from xaibench.setup.selection import Selection

SEEDS, FOLDS = "seeds", "training sets"
_MARKED = 0.5  # share of a map's maximum, as the metric `iou` marks pixels
# What a row takes grows with the pairs of trainings, of which ten seeds have 45 an image.
_MOST_IMAGES, _MOST_PAIRS = 32, 600
Floats = NDArray[np.float64]


class _Asked(NamedTuple):
    """An image, and which of a model's trainings tested it, each with its prediction."""

    sample: Sample
    trainings: Sequence[tuple[int, int]]


def reproducibility(selection: Selection) -> pd.DataFrame:
    """Compare the stored maps of all rows that compete; no line where nothing can be compared.

    Of images that may show several classes nothing is compared.

    Returns:
        The columns `REPRODUCIBILITY`: for each (dataset, split, model, method) one line between
        ``seeds`` (of one fold), one between ``training sets`` (folds) where folds test the same
        images, and one of ``all`` pairs. Means over images of the means over an image's pairs:
        Spearman's correlation of the pixels, SSIM, the IoU of the pixels that reach half of the
        maximum, and the distance of the maxima as a share of the diagonal.
    """
    if selection.dataset.several_labels:  # one map stands for an image there
        return pd.DataFrame(columns=REPRODUCIBILITY)
    by_model: dict[str, list[Ledger]] = defaultdict(list)
    for ledger in ledgers_of(selection):
        by_model[ledger.model.spec].append(ledger)
    methods = [each for each in selection.methods if each.plugin.traits.family != "control"]
    lines = [
        line
        for ledgers in by_model.values()
        if (asked := _choose(ledgers))
        for method in methods
        for line in _compare_row(ledgers, asked, method)
    ]
    return pd.DataFrame(lines, columns=REPRODUCIBILITY)


def compare_pairs(maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Floats:
    """Return what `LIKENESS` (results/tables.py) names of each pair of maps, ``(P, 4)``.

    NaN is what is undefined: a constant map orders no pixels, marks none and has no peak.

    Args:
        maps: finished, ``(T, H, W)`` in [0, 1].
        pairs: of places among them.
    """
    first, second = (np.array(places) for places in zip(*pairs, strict=True))
    small, whole = shrink(maps), maps.numpy()
    alike = resemblance(small[first], small[second])
    flat = whole.reshape(len(whole), -1)
    empty = flat.max(axis=1) == flat.min(axis=1)
    marked = (flat >= _MARKED * flat.max(axis=1, keepdims=True)) & ~empty[:, None]
    either = (marked[first] | marked[second]).sum(axis=1)
    both = (marked[first] & marked[second]).sum(axis=1)
    peaks = np.stack(np.unravel_index(flat.argmax(axis=1), whole.shape[1:]), axis=1)
    distance = np.hypot(*(peaks[first] - peaks[second]).T) / np.hypot(*whole.shape[1:])
    broken = empty[first] | empty[second]
    overlap = np.divide(both, either, out=np.full(len(both), np.nan), where=either > 0)
    found = np.stack([alike.rank, alike.structure, overlap, distance], axis=1)
    found[broken] = np.nan
    return found


def _choose(ledgers: Sequence[Ledger]) -> list[_Asked]:
    """Return images that several trainings have tested, chosen by chance but always the same."""
    tested: dict[str, list[tuple[int, int]]] = defaultdict(list)
    samples: dict[str, Sample] = {}
    for at, ledger in enumerate(ledgers):
        if ledger.model_is_trained():
            predicted = _predictions(ledger)
            for sample in ledger.selection.split(ledger.fold).test:
                samples[sample.id] = sample
                tested[sample.id].append((at, predicted.get(sample.id, -1)))
    several = [samples[name] for name, trainings in tested.items() if len(trainings) > 1]
    if not several:
        return []
    most = max(len(tested[sample.id]) for sample in several)
    count = min(_MOST_IMAGES, max(2 * _MOST_PAIRS // (most * (most - 1)), 1))
    return [_Asked(each, tested[each.id]) for each in choose_images(several, count)]


def _predictions(ledger: Ledger) -> dict[str, int]:
    """Return what a training predicts of each image, or the model that judges it."""
    judge = ledger.judge or ledger
    table = pd.read_csv(
        judge.folder / PREDICTIONS_FILE, usecols=["sample", "prediction"], dtype={"sample": str}
    ).dropna()
    return dict(zip(table["sample"], table["prediction"].astype(int), strict=True))


def _compare_row(
    ledgers: Sequence[Ledger], asked: Sequence[_Asked], method: Bound
) -> Iterator[dict[str, object]]:
    found: dict[str, list[Floats]] = {SEEDS: [], FOLDS: [], ALL_PAIRS: []}
    count = dict.fromkeys(found, 0)
    side = ledgers[0].selection.options.image_size
    with ExitStack() as stack:
        readers = {
            at: stack.enter_context(MapReader(*files))
            for at, ledger in enumerate(ledgers)
            if ledger.cell_state(method).fits and (files := map_files(ledger.cell_folder(method)))
        }
        for each in asked:
            places, maps = _read(each, readers, method, side)
            pairs = list(combinations(range(len(places)), 2))
            if not pairs:
                continue
            folds = [ledgers[at].fold for at in places]
            same = np.array([folds[one] == folds[other] for one, other in pairs])
            alike = compare_pairs(maps, pairs)
            for name, chosen in ((SEEDS, same), (FOLDS, ~same), (ALL_PAIRS, same | ~same)):
                if chosen.any():
                    found[name].append(_mean(alike[chosen]))
                    count[name] += int(chosen.sum())
    place = ledgers[0].place
    for name, values in found.items():
        if values:
            keys = (place.dataset, place.split, place.model, method.spec, name)
            numbers = (len(values), count[name], *_mean(np.stack(values)))
            yield dict(zip(REPRODUCIBILITY, [*keys, *numbers], strict=True))


def _read(
    each: _Asked, readers: Mapping[int, MapReader], method: Bound, side: int
) -> tuple[list[int], Tensor]:
    """Return the trainings that have a map of the image's label, and these maps, finished."""
    name, label = each.sample.id, each.sample.label
    stored = {}
    for at, prediction in each.trainings:
        kinds = ["label", *(["predicted"] if prediction == label else [])]
        keys = [map_key(kind, name) for kind in kinds]
        if at in readers and (key := next((key for key in keys if key in readers[at]), None)):
            stored[at] = readers[at][key]
    maps, traits = torch.zeros(len(stored), side, side), method.plugin.traits
    for row, values in enumerate(stored.values()):
        raw = torch.from_numpy(values)[None]
        maps[row] = finish(raw, (side, side), sign=traits.sign, rescale=traits.rescale)[0][0]
    return list(stored), maps


def _mean(values: Floats) -> Floats:
    """Return the means of columns over what is defined, NaN without anything."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0).sum(axis=0)
    found: Floats = np.full(values.shape[1], np.nan)
    np.divide(total, count, out=found, where=count > 0)
    return found
