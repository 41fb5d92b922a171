"""Which dataset a run is about."""

from xaibench.core.errors import XaibenchError
from xaibench.core.plugin import Bound
from xaibench.core.registry import bind, plugins
from xaibench.setup.options import RunOptions


def dataset_of(options: RunOptions) -> Bound:
    """Return the dataset, or both as one where another is to be tested on."""
    train = bind("dataset", options.dataset)
    if options.test_dataset:
        test = bind("dataset", options.test_dataset)
        both = {"train": train.spec, "test": test.spec, "classes": options.test_classes}
        return Bound(plugins("dataset")["across"], both)
    if options.test_classes:
        raise XaibenchError("--test-classes goes with --test-dataset; name one, or leave it out.")
    return train
