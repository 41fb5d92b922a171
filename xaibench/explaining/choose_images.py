"""What is explained again beside a run: which of its test images, and which of their classes."""

from collections import Counter
from collections.abc import Sequence

from xaibench.core.data import Sample
from xaibench.core.seeds import seed_of


def choose_images(samples: Sequence[Sample], count: int) -> list[Sample]:
    """Choose images by chance, but always the same: one of each class in turn, in their order."""
    turns: list[tuple[int, int, str]] = []
    counted: Counter[int] = Counter()
    for sample in sorted(samples, key=lambda sample: seed_of("diagnose", sample.id)):
        turns.append((counted[sample.label], sample.label, sample.id))
        counted[sample.label] += 1
    chosen = {name for _, _, name in sorted(turns)[:count]}
    return [sample for sample in samples if sample.id in chosen]


def class_explained(target: str) -> str:
    """Return which class is explained where ``--target`` is such: ``label`` or ``predicted``."""
    return "label" if target == "label" else "predicted"
