"""What every stored result is made from: named, so that a plan can say what has changed."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from xaibench.core.contents import content_of, contents_of
from xaibench.core.data import Sample
from xaibench.core.files import is_file
from xaibench.core.fingerprints import code_of, fingerprint
from xaibench.core.plugin import Bound
from xaibench.setup.options import TRAINING, RunOptions
from xaibench.setup.selection import Selection

# The engine that each stage runs on, beside the plugin itself; what these import counts, too.
SPLIT_CODE = ("core/splits",)
TRAIN_CODE = (
    *("training/train", "training/optimize", "training/supervision", "training/averages"),
    *("training/moving_average", "training/trained", "setup/building", "training/replicas"),
)
EXPLAIN_CODE = (
    *("explaining/session", "explaining/run_session", "explaining/questions"),
    *("explaining/batch", "explaining/views"),
)
FIT_CODE = ("explaining/fit", "explaining/training_set")
SCORE_CODE = ("explaining/evidence", "explaining/score", "explaining/tuning")
_HASH = re.compile("[0-9a-f]{16,}")
Parts = dict[str, Any]
"""What a result is made from: names for people, and values, or fingerprints of what is long."""


@cache
def data_parts(selection: Selection, fold: int, seed: int) -> Parts:
    """Return what a model and its scores owe to the data: the content of all files, and the split.

    Boxes and labels count as values, and so does all that the dataset read from a manifest. Of two
    datasets a model owes nothing to the one that it is tested on (`test_parts`).
    """
    apart, split = selection.dataset.apart, selection.split(fold, seed)
    samples = [sample for sample in selection.dataset.samples if sample.id not in apart]
    test = () if apart else split.test
    parts = [[s.id for s in part] for part in (split.train, split.validation, test)]
    return {
        "dataset": selection.dataset_spec,
        **_samples_parts(selection, samples),
        "files of the dataset": files_of(selection.dataset_plugin),
        "split": fingerprint(parts),
        "masks seen": fingerprint(sorted(split.seen)),
        "image size": selection.options.image_size,
        "code of the dataset": code_of(selection.dataset_plugin.plugin.file, *SPLIT_CODE),
    }


@cache
def test_parts(selection: Selection) -> Parts:
    """Return what predictions and scores owe beside the training: else nothing.

    It is a dataset that is tested on alone, and what chooses thresholds of several labels.
    """
    apart = selection.dataset.apart
    samples = [sample for sample in selection.dataset.samples if sample.id in apart]
    several = selection.dataset.several_labels
    return {
        f"test {name}": part for name, part in _samples_parts(selection, samples).items() if apart
    } | ({"label threshold": selection.options.label_threshold} if several else {})


def _samples_parts(selection: Selection, samples: Sequence[Sample]) -> Parts:
    held = _contents(selection)
    masks = [
        (s.id, [(*layer[1:], held[layer.path]) for layer in s.masks], s.boxes) for s in samples
    ]
    return {
        "images": fingerprint([(s.id, held[s.path]) for s in samples]),
        "labels": fingerprint([(s.id, s.label, *_each_label(held, s)) for s in samples]),
        "masks": fingerprint(masks),
        "groups": fingerprint([(s.id, s.group) for s in samples if s.group]),
    }


def _each_label(held: Mapping[Path, str], sample: Sample) -> Iterator[tuple[object, ...]]:
    """Yield label and masks of each class where an image may show several."""
    for label, masks, boxes in sample.class_labels:
        yield label, masks and [(*layer[1:], held[layer.path]) for layer in masks], boxes


def model_parts(selection: Selection, fold: int, model: Bound, seed: int) -> Parts:
    """Return what a trained model is made from: data, options and all code that training runs."""
    options = selection.options
    known = options.weights in ("none", "imagenet")
    return {
        **data_parts(selection, fold, seed if selection.options.redraw else 0),
        "model": model.first_spec,
        "seed": seed,
        **{name.replace("_", " "): getattr(options, name) for name in TRAINING},
        **_train_precision(options),
        "first weights": options.weights if known else content_of(Path(options.weights)),
        "files of the model": files_of(model),
        "code of the model and its training": code_of(model.plugin.file, *TRAIN_CODE),
    }


def _train_precision(options: RunOptions) -> Parts:
    """Return the precision that was asked for: what is chosen by the device was always unsaid."""
    return {} if options.train_precision == "auto" else {"train precision": options.train_precision}


def maps_parts(selection: Selection, trained: Iterable[tuple[str, str]], method: Bound) -> Parts:
    """Return what a cell's maps are made from.

    Args:
        selection: what the run is about.
        trained: fingerprint and checksum of the model, and of the one that judges its maps: a lost
            model is trained again, and on a GPU its weights come out a little different.
        method: that explains.
    """
    options = selection.options
    return {
        "trained models": [list(each) for each in trained],
        **test_parts(selection),
        "method": method.first_spec,
        "target": options.target,
        "precision": options.precision,
        "fold": options.fold,
        "compile": options.compile,
        "layer": options.layer,
        "files of the method": files_of(method),
        "wrapped library": wrapped_version(method),
        "code of the method and the engine": code_of(method.plugin.file, *EXPLAIN_CODE),
    }


def fit_parts(options: RunOptions, trained: tuple[str, str], method: Bound) -> Parts:
    """Return what a method's fit is made from: the trained model, whose parts tell the data."""
    return {
        "trained model": list(trained),
        "method": method.spec,
        "precision": options.precision,
        "fold": options.fold,
        "files of the method": files_of(method),
        "wrapped library": wrapped_version(method),
        "code of the method and its fit": code_of(method.plugin.file, *FIT_CODE),
    }


def score_parts(selection: Selection, maps: str, metric: Bound) -> Parts:
    """Return what a metric's scores are made from, beside the maps' fingerprint."""
    at = selection.options.score_at
    sized = "masks" in metric.plugin.signature.words and at != "network"
    return {
        "maps": maps,
        "metric": metric.first_spec,
        **({"score at": at} if sized else {}),
        "target": selection.target_of(metric),
        "files of the metric": files_of(metric),
        "wrapped library": wrapped_version(metric),
        "code of the metric and the engine": code_of(metric.plugin.file, *SCORE_CODE),
    }


def wrapped_version(bound: Bound) -> str:
    """Return name and version of the library that a plugin wraps; empty where it wraps none."""
    name = bound.plugin.wraps
    if not name:
        return ""
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return name


def tell_difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say in words what differs between the parts that a result was made from and today's."""
    names = [
        name
        for name in dict.fromkeys([*now, *then])
        if fingerprint(then.get(name)) != fingerprint(now.get(name))
    ]
    return ", ".join(_tell(name, then.get(name), now.get(name)) for name in names)


def _tell(name: str, then: object, now: object) -> str:
    texts = [str(value) for value in (then, now)]
    plain = all(value is None or isinstance(value, str | int | float) for value in (then, now))
    if not plain or any(map(_HASH.fullmatch, texts)):
        return f"other {name}"
    return f"{name} {texts[0] or 'none'} before, {texts[1] or 'none'} now"


@cache
def _contents(selection: Selection) -> dict[Path, str]:
    samples = selection.dataset.samples
    layers = (layer.path for sample in samples for layer in sample.layers)
    return contents_of([*(sample.path for sample in samples), *layers])


def files_of(bound: Bound) -> dict[str, str]:
    """Return what the files hold that a plugin's options name, by option."""
    named = {
        name: Path(value)
        for name, value in bound.options.items()
        if isinstance(value, str | Path) and str(value) and is_file(Path(value))
    }
    return {name: content_of(path) for name, path in named.items()}
