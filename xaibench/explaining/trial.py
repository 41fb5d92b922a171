"""Metrics and analyses tried on what is made up: a wrong option is told before any training."""

from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.maps import OK
from xaibench.core.plugin import Bound
from xaibench.core.restoration import FIDELITIES
from xaibench.explaining.batch import ImageBatch, Maps
from xaibench.explaining.evidence import evidence_of
from xaibench.explaining.score import score_batch
from xaibench.explaining.training_set import made_up
from xaibench.explaining.tuned import Tuned

_SIDE = 16
_IMAGES, _MOST, _SIZE = 24, 2000, 8


def try_metric(metric: Bound) -> None:
    """Score one map.

    Raises:
        XaibenchError: what the metric itself says of its options. Other failures may be due to so
            small an image, and show themselves in the run.
    """
    drawn = torch.rand(4, _SIDE, _SIDE, generator=torch.Generator().manual_seed(0))
    masks = torch.zeros(1, _SIDE, _SIDE, dtype=torch.int8)
    masks[:, 3:9, 5:12] = 1
    target = {"label": torch.zeros(1, dtype=torch.long)}
    batch = ImageBatch(["a"], drawn[None, :3], masks, [True], target, _halves, respond=_halves)
    maps = {"label": Maps(drawn[3:], [OK])}
    training = made_up(drawn[:3, None].expand(-1, 3, -1, -1), torch.tensor([0, 1, 1]))
    evidence = evidence_of(
        maps, batch, lambda *_: drawn[3:], Tuned(0.5), lambda _: drawn[3:].square(), training
    )
    try:
        score_batch([metric], evidence, lambda _: "label")
    except XaibenchError as error:
        if error.__cause__ is None or isinstance(error.__cause__, XaibenchError):
            raise


def try_analysis(
    analysis: Bound, class_names: tuple[str, ...], training: int, dimensions: int
) -> None:
    """Analyze a few made-up images beside as many training images as there are, up to 2000.

    Args:
        analysis: to be tried.
        class_names: the dataset's.
        training: number of training images.
        dimensions: of the model's embeddings, 0 where it has none.

    Raises:
        XaibenchError: what the analysis itself says of its options.
    """
    try:
        analysis(synthetic_words(class_names, min(training, _MOST), dimensions or _SIZE))
    except XaibenchError:
        raise
    except Exception:  # as above
        return


def synthetic_words(
    class_names: tuple[str, ...], training: int, dimensions: int = _SIZE, images: int = _IMAGES
) -> SimpleNamespace:
    """Return the words of analyses for a model that doesn't exist, which sees the classes well."""
    draw = np.random.default_rng(0)
    places = 3 * draw.random((len(class_names), dimensions), np.float32)
    labels, train_labels = (np.arange(n) % len(class_names) for n in (images, training))
    confidences = draw.dirichlet(np.ones(len(class_names)), images)
    return SimpleNamespace(
        embeddings=places[labels] + draw.random((images, dimensions), np.float32),
        labels=labels,
        predictions=confidences.argmax(axis=1),
        confidences=confidences,
        samples=np.array([f"test/{row}" for row in range(images)]),
        groups=np.array([f"patient {row // 2}" if row % 3 else "" for row in range(images)]),
        train_embeddings=places[train_labels] + draw.random((training, dimensions), np.float32),
        train_labels=train_labels,
        errors=draw.random(images),
        train_errors=draw.random(training),
        restore=lambda _noise, count: (
            {
                f"{kind}_{name}": draw.random(images)
                for kind in ("noisy", "restored")
                for name in FIDELITIES
            },
            draw.integers(0, 256, (count, 3, _SIDE, _SIDE, 3), np.uint8),
        ),
        pixel_confusion=draw.integers(0, 9, (images, *[1 + len(class_names)] * 2)),
        segment=lambda rows: (
            draw.integers(0, 256, (len(rows), _SIDE, _SIDE, 3), np.uint8),
            *draw.integers(0, 1 + len(class_names), (2, len(rows), _SIDE, _SIDE), np.int16),
        ),
        class_names=class_names,
        seed=0,
    )


def _halves(images: Tensor) -> Tensor:
    return torch.full((len(images), 2), 0.5)
