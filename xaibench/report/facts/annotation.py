"""What the networks of a run were annotated with: how many images, and what it took."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xaibench.core.annotation import UNIT_OF
from xaibench.core.errors import XaibenchError
from xaibench.core.supervision import Supervision
from xaibench.results.records import RunRecord
from xaibench.results.tables import read_table

_MINUTE = 60


@dataclass(frozen=True)
class Annotated:
    """Images of training and validation in the mean fold: all, and those that have masks or boxes.

    A mask that chooses an epoch or a threshold costs as much as one that is learned from.
    """

    images: float
    located: float

    def count(self, supervision: Supervision) -> float:
        """Return how many images said where the evidence lies."""
        return supervision.share * self.located if supervision.localizes else 0.0

    def minutes(self, supervision: Supervision, seconds: Mapping[str, float]) -> float:
        """Return what all annotation took, labels included unless images alone were used."""
        if supervision.kind == "none":
            return 0.0
        unit = seconds[UNIT_OF[supervision.kind]] if supervision.localizes else 0.0
        return (self.images * seconds["label"] + self.count(supervision) * unit) / _MINUTE


def annotated_in(out: Path, run: RunRecord) -> Annotated:
    """Count the annotated images of a run's splits.

    Raises:
        XaibenchError: there are none.
    """
    tables = [read_table(out / "splits" / name) for name in run.splits]
    if not tables:
        raise XaibenchError(f"{out}: no splits; finish the run first (the same command).")
    learned = [table[table["part"].astype(str) != "test"] for table in tables]
    images = sum(map(len, learned)) / len(learned)
    seen = sum(int((table["mask_seen"].astype(str) == "True").sum()) for table in learned)
    share = run.mask_fraction or 0.0
    # Of no mask that may be seen nobody knows how many there are: an image has one each.
    return Annotated(images, seen / len(learned) / share if share else images)
