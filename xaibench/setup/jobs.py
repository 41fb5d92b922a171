"""Jobs, and the tasks that they fall into: what a worker does at a time, and what comes first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from xaibench.results.folder import MAPS_FILE, maps_file

Item = TypeVar("Item")


@dataclass(frozen=True)
class Job:
    """All missing cells that share a trained model. Strings and numbers only, so it travels."""

    fold: int
    model: str
    seed: int
    methods: tuple[str, ...] = ()
    analyses: tuple[str, ...] = ()
    dependence: tuple[str, ...] = ()  # methods whose dependence on the decision isn't known yet
    alone: bool = False  # a worker was lost that had its only method beside others

    @property
    def title(self) -> str:
        """The trained model, for people."""
        return f"{self.model}, fold {self.fold}, seed {self.seed}"


@dataclass(frozen=True)
class Part:
    """Some of the test images, consecutive ones."""

    index: int = 0
    count: int = 1

    @property
    def name(self) -> str:
        """``0003-of-0010``."""
        return f"{self.index:04}-of-{self.count:04}"

    @property
    def maps(self) -> str:
        """The file of a part's maps."""
        return maps_file(self.name) if self.count > 1 else MAPS_FILE

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return this part of all items; parts differ by one item at most.

        >>> [list(Part(index, 3).of("abcdefg")) for index in range(3)]
        [['a', 'b'], ['c', 'd'], ['e', 'f', 'g']]
        """
        first, last = (len(items) * end // self.count for end in (self.index, self.index + 1))
        return items[first:last]


def parts_of(images: int, size: int) -> list[Part]:
    """Divide images into parts of at most ``size``; there is at least one.

    >>> len(parts_of(1000, 1000)), len(parts_of(1001, 1000)), len(parts_of(0, 1000))
    (1, 2, 1)
    """
    count = max(-(-images // size), 1)
    return [Part(index, count) for index in range(count)]


class Stage(StrEnum):
    """What is done with a job, in this order."""

    TRAIN = "train"
    EXPLAIN = "explain"
    ANALYZE = "analyze"
    JOIN = "join"
    DEPENDENCE = "dependence"


@dataclass(frozen=True)
class JobStep:
    """One step of a job, for one part of its images: what a worker does at a time."""

    stage: Stage
    job: Job
    part: Part = Part()

    @property
    def key(self) -> str:
        """Its name, for people and for locks."""
        alone = f", {', '.join(self.job.methods)} alone" if self.job.alone else ""
        title = f"{self.stage} {self.job.title}{alone}"
        if self.stage is Stage.EXPLAIN and self.part.count > 1:
            return f"{title}, part {self.part.index + 1} of {self.part.count}"
        return title  # whatever the parts: two runs must not join a cell at once


def steps_of(job: Job, images: int, part_size: int) -> Iterator[JobStep]:
    """Yield all steps of a job, in an order in which it can be done.

    Args:
        job: what is to be done.
        images: number of test images.
        part_size: how many of them are explained and committed at once.
    """
    parts = parts_of(images, part_size)
    yield JobStep(Stage.TRAIN, job)
    if job.methods:
        yield from (JobStep(Stage.EXPLAIN, job, part) for part in parts)
        yield JobStep(Stage.JOIN, job, Part(0, len(parts)))
    if job.dependence:
        yield JobStep(Stage.DEPENDENCE, job)
    if job.analyses:
        yield JobStep(Stage.ANALYZE, job)
