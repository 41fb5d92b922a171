"""One dataset: what the rules for datasets look at."""

from functools import cached_property
from types import SimpleNamespace

from xaibench.checks.rule import Broken, Skipped
from xaibench.core.data import Dataset, Picture
from xaibench.core.errors import DataNotFoundError
from xaibench.core.plugin import Bound, Plugin
from xaibench.core.roots import data_roots

_FIRST = 5


class DatasetTrial:
    """One dataset plugin, if its data lies here."""

    label = "what lies here"

    def __init__(self, bound: Bound) -> None:
        self.bound = bound

    @property
    def plugin(self) -> Plugin:
        """The dataset's."""
        return self.bound.plugin

    def open(self) -> Dataset:
        """Return the dataset from the first root that holds it.

        Raises:
            Skipped: its data isn't here.
            Broken: it is no dataset.
        """
        for root in data_roots():
            try:
                found = self.bound(SimpleNamespace(root=root))
            except DataNotFoundError as error:
                missing = error
                continue
            if not isinstance(found, Dataset):
                raise Broken(f"it returned a {type(found).__name__}; return an xaibench.Dataset.")
            return found
        raise Skipped(f"its data isn't here: {missing.missing}; {missing.remedy}")

    @cached_property
    def dataset(self) -> Dataset:
        """What it opens."""
        return self.open()

    @cached_property
    def pictures(self) -> dict[str, Picture]:
        """The first few samples' pictures, by id, and the last one's."""
        samples = self.dataset.samples
        chosen = {sample.id: sample for sample in (*samples[:_FIRST], samples[-1])}
        return {name: self.dataset.read(sample) for name, sample in chosen.items()}
