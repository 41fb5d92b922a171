"""Choosing what of a dataset was asked for: its classes, and how many images of each."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from xaibench.core.data import Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.suggest import did_you_mean

LEAST_CLASSES = 2
_MOST_NAMED = 20


def choose_classes(
    owner: str,
    known: Sequence[str],
    chosen: Sequence[str],
    aliases: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Return the classes chosen, in that order; all that are known where none is.

    ``aliases`` are other names by which a class may be called.

    Raises:
        XaibenchError: one is unknown or named twice, or they are fewer than two.
    """
    given = f"{owner}[classes={'+'.join(chosen)}]"
    called = {**(aliases or {}), **{name: name for name in known}}
    for name in chosen:
        if name not in called:
            some = ", ".join(known[:_MOST_NAMED]) + (" ..." if len(known) > _MOST_NAMED else "")
            raise XaibenchError(
                f"{given}: there is no class '{name}'{did_you_mean(name, called)}; "
                f"choose among {some}."
            )
    names = tuple(called[name] for name in chosen or known)
    if len(set(names)) < max(LEAST_CLASSES, len(names)):
        raise XaibenchError(
            f"{given}: name at least two classes, each once, "
            f"for example classes={'+'.join(known[:LEAST_CLASSES])}."
        )
    return names


def tell_alike(names: Iterable[str]) -> tuple[str, ...]:
    """Return a sentence on names of classes that differ in case, blanks or how a number is written.

    >>> tell_alike(["benign", "0", "Benign ", "0.0"])
    ("the classes 'benign' and 'Benign ', '0' and '0.0' may be the same; give each one name.",)
    """
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(_bare(name), []).append(name)
    alike = [" and ".join(map(repr, same)) for same in found.values() if len(same) > 1]
    said = f"the classes {', '.join(alike)} may be the same; give each one name."
    return (said,) if alike else ()


def _bare(name: str) -> str:
    plain = " ".join(re.split(r"[\s_-]+", name.strip().casefold()))
    return f"{float(plain):g}" if re.fullmatch(r"\d+(\.\d*)?", plain) else plain


def check_per_class(owner: str, per_class: int) -> None:
    """Make sure that a number of images is none below zero.

    Raises:
        XaibenchError: it is.
    """
    if per_class < 0:
        raise XaibenchError(f"{owner}[per_class={per_class}]: choose 0 (all) or a number above it.")


def keep_first(samples: Iterable[Sample], per_class: int) -> tuple[Sample, ...]:
    """Return the first so many samples of each class in each published part; 0 keeps all."""
    if not per_class:
        return tuple(samples)
    kept: list[Sample] = []
    taken: Counter[tuple[int, str]] = Counter()
    for sample in samples:
        taken[sample.label, sample.part] += 1
        if taken[sample.label, sample.part] <= per_class:
            kept.append(sample)
    return tuple(kept)
