"""What a training learned from beside the images: nothing, labels, points, boxes or masks."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from xaibench.core.errors import XaibenchError

Kind = Literal["none", "labels", "points", "boxes", "masks"]
_KINDS: tuple[Kind, ...] = get_args(Kind)
_MARKED = frozenset({"points", "boxes", "masks"})


@dataclass(frozen=True)
class Supervision:
    """The strongest annotation that was used; ``share`` is of the training images that have it.

    Labels are used of all images or of none.
    """

    kind: Kind
    share: float = 1.0

    @property
    def localizes(self) -> bool:
        """Whether it said where the evidence lies."""
        return self.kind in _MARKED

    def as_record(self) -> dict[str, Any]:
        """Return what JSON holds."""
        return asdict(self)


def in_words(kind: str, share: float) -> str:
    """Return ``masks for 25 %``, ``labels``, ``images alone``, or that nobody says it."""
    if kind in _MARKED:
        return f"{kind} for {100 * share:g} %"
    return {"none": "images alone", "": "from what is not declared"}.get(kind, kind)


def declare(owner: str, kind: str | None, share: float = 1.0) -> Supervision | None:
    """Return what a plugin declares; None where it says nothing.

    Raises:
        XaibenchError: there is no such kind, or the share leaves (0, 1].
    """
    if kind is None:
        return None
    if kind not in _KINDS:
        raise XaibenchError(f"{owner}: supervision {kind!r}: choose one of {', '.join(_KINDS)}.")
    if not 0 < share <= 1:
        raise XaibenchError(f"{owner}: share {share}: above 0, and at most 1.")
    return Supervision(kind, share)


def strongest(*found: Supervision | None) -> Supervision | None:
    """Return the one that tells most; of equal kinds the one of the larger share."""
    known = [each for each in found if each is not None]
    return max(known, key=lambda each: (_KINDS.index(each.kind), each.share), default=None)
