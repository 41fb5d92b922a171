"""How long work takes whose kinds differ: an epoch tells little of how long a map will take."""

from collections import defaultdict
from collections.abc import Mapping


class Pace:
    """Learns what a unit of each kind takes, and says what the units ahead will.

    Units of different kinds need not compare well: those of a kind that nobody has seen yet are
    taken to last as long as all others on average, and no longer once one of them is done.

    >>> pace = Pace({"train": 30, "explain": 10})
    >>> pace.add("train", 20, seconds=40)
    >>> pace.left(), pace.share
    (40.0, 0.5)
    >>> pace.add("explain", 1, seconds=60)
    >>> pace.left()
    560.0
    """

    def __init__(self, ahead: Mapping[str, float]) -> None:
        self._whole, self._ahead = dict(ahead), dict(ahead)
        self._units: dict[str, float] = defaultdict(float)
        self._seconds: dict[str, float] = defaultdict(float)

    def add(self, kind: str, units: float, *, seconds: float | None = None) -> None:
        """Count units; those without a time were not needed, and say nothing of the others."""
        if kind not in self._ahead:
            return
        self._ahead[kind] = max(self._ahead[kind] - units, 0)
        if seconds is not None:
            self._units[kind] += units
            self._seconds[kind] += seconds

    @property
    def share(self) -> float:
        """The share of all units that is behind, in [0, 1]."""
        whole = sum(self._whole.values())
        return 1 - sum(self._ahead.values()) / whole if whole else 0.0

    @property
    def whole(self) -> Mapping[str, float]:
        """All units, by kind."""
        return self._whole

    @property
    def ahead(self) -> Mapping[str, float]:
        """The units left, by kind."""
        return self._ahead

    def left(self) -> float | None:
        """Return the seconds that the units ahead will take; None before the first is done."""
        done = sum(self._units.values())
        if not done:
            return None
        usual = sum(self._seconds.values()) / done
        return sum(
            units * (self._seconds[kind] / self._units[kind] if self._units[kind] else usual)
            for kind, units in self._ahead.items()
        )
