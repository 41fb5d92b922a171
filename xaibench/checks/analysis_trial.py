"""One analysis of a model that doesn't exist: what the rules for analyses look at."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from xaibench.checks.state import Given, isolated
from xaibench.core.plugin import Bound, Plugin
from xaibench.explaining.trial import synthetic_words

# Each has a test image at least, and `normal` is what anomalies differ from.
NAMES, TRAINING, COUNT = ("normal", "benign", "malignant"), 60, 30


@dataclass(frozen=True)
class AnalysisResult:
    """What an analysis returned, and what it left changed, by name."""

    findings: Any
    given: Given
    surroundings: list[str]


class AnalysisTrial:
    """One analysis."""

    label = "made-up embeddings"

    def __init__(self, bound: Bound) -> None:
        self.bound = bound

    @property
    def plugin(self) -> Plugin:
        """The analysis' own."""
        return self.bound.plugin

    @cached_property
    def first(self) -> AnalysisResult:
        """Its answer."""
        return self.observe()

    def observe(self, noise: int = 1, *, head: bool = True) -> AnalysisResult:
        """Ask it as a run would, and look at all that it must leave alone.

        Args:
            noise: seed of the global random states, on which nothing may depend.
            head: whether the model classifies.
        """
        words = synthetic_words(NAMES, TRAINING, images=COUNT)
        if not head:
            words.predictions = words.confidences = None
        with isolated(noise) as surroundings:
            given = Given(words)
            try:
                findings = self.bound(given)
            except Exception as error:
                error.add_note(given.shapes())
                raise
        return AnalysisResult(findings, given, surroundings)
