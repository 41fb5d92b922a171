"""Reading MATLAB's files, in which some datasets keep lists and masks."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from xaibench.core.errors import XaibenchError
from xaibench.core.files import check_plain_file


def read_matlab(path: Path, name: str) -> Any:
    """Return one variable of a ``.mat`` file, structs as objects with their fields as attributes.

    Raises:
        XaibenchError: the file is unreadable or has no such variable.
    """
    try:
        check_plain_file(path)
        found = loadmat(path, squeeze_me=True, struct_as_record=False, variable_names=[name])
    except Exception as error:  # damaged files raise whatever they like
        said = " ".join(str(error).split()) or type(error).__name__
        raise XaibenchError(f"{path}: not a readable MATLAB file ({said}); replace it.") from error
    if name not in found:
        raise XaibenchError(f"{path}: it holds no variable '{name}'; replace it.")
    return found[name]


def read_names(path: Path, name: str) -> list[str]:
    """Return a cell array of strings.

    Raises:
        XaibenchError: the file is unreadable or has no such variable.
    """
    return [str(each) for each in np.atleast_1d(read_matlab(path, name))]
