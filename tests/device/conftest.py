"""A pretend GPU for one test at a time; afterwards torch is what it was."""

import pytest
import torch
from installing import installed
from pretend import TORCH


@pytest.fixture
def machine():
    if torch.__version__.partition("+")[0] != TORCH:
        pytest.skip(f"the pretend GPU uses private names of torch {TORCH}")
    with installed(2) as there:
        yield there
