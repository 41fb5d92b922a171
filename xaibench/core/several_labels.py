"""Samples that may show several classes."""

from pathlib import Path

from xaibench.core.data import ClassLabel, Sample


def several_labels(
    sample_id: str,
    path: Path,
    class_labels: tuple[ClassLabel, ...],
    *,
    group: str = "",
    part: str = "",
) -> Sample:
    """Return a sample that may show several classes; its masks are those of all that it shows.

    Its ``label`` is the first class that it shows, the first of all where it shows none.
    """
    shown = [index for index, each in enumerate(class_labels) if each.label == 1]
    layers = dict.fromkeys(layer for at in shown for layer in class_labels[at].masks or ())
    boxes = dict.fromkeys(box for at in shown for box in class_labels[at].boxes)
    label = shown[0] if shown else 0
    return Sample(sample_id, path, label, (*layers,), (*boxes,), group, part, class_labels)
