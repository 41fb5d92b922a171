"""Where data is looked for, and opening a dataset that lies there."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from xaibench.core.data import Dataset
from xaibench.core.errors import DataNotFoundError, XaibenchError
from xaibench.core.known_code import cache_folder
from xaibench.core.plugin import Bound

ENVIRONMENT_VARIABLE = "XAIBENCH_DATA"


class _Words(NamedTuple):
    """The dataset vocabulary."""

    root: Path


def data_roots(given: str | Path | None = None) -> Sequence[Path]:
    """Return the folders to look in: the given one alone, or $XAIBENCH_DATA and then the cache.

    Raises:
        XaibenchError: none is named, and the user has no home.
    """
    if given:
        return [Path(given).expanduser()]
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    roots = [Path(named).expanduser()] if named else []
    try:
        roots.append(cache_folder())
    except RuntimeError:
        if not roots:
            raise XaibenchError(
                "this user has no home folder to look for data in; name one with --data-root DIR."
            ) from None
    return roots


def open_dataset(plugin: Bound, given_root: str | Path | None = None) -> Dataset:
    """Return a dataset from the first root that holds it.

    Raises:
        XaibenchError: no root holds it, or its plugin fails.
    """
    roots = data_roots(given_root)
    missing: DataNotFoundError | None = None
    for root in roots:
        try:
            found = plugin(_Words(root))
        except DataNotFoundError as error:
            missing = missing or error
        except XaibenchError:
            raise
        except Exception as error:
            raise XaibenchError(
                f"dataset {plugin.spec} could not be read ({type(error).__name__}: {error})."
            ) from error
        else:
            if isinstance(found, Dataset):
                return found
            raise XaibenchError(
                f"dataset {plugin.spec} returned a {type(found).__name__}; it must return an "
                "xaibench.Dataset."
            )
    assert missing is not None
    others = "".join(f", nor below {root}" for root in roots[1:])
    raise XaibenchError(f"{missing.missing}{others}; {missing.remedy}")
