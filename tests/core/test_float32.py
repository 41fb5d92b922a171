"""What TF32 may round is off inside, and what the caller said holds again afterwards."""

import itertools

import pytest
import torch

from xaibench.core.passes.float32 import exact_float32

pytestmark = pytest.mark.skipif(
    not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="torch before 2.9"
)
ALL = (("generic", "all"), *itertools.product(("cuda", "mkldnn"), ("all", "matmul", "conv", "rnn")))


def switches():
    """What is said of each operation by the modern switches, then by the former two."""
    found = [torch._C._get_fp32_precision_getter(*place) for place in ALL]
    for read in (torch.get_float32_matmul_precision, lambda: torch.backends.cudnn.allow_tf32):
        try:
            found.append(read())
        except RuntimeError:  # the two contradict each other
            found.append("contradiction")
    return found


@pytest.fixture
def _as_before():
    said = [(place, torch._C._get_fp32_precision_getter(*place)) for place in ALL]
    yield
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = True
    for place, precision in said:
        torch._C._set_fp32_precision_setter(*place, precision)


SAID = {
    "nothing": lambda: None,
    "high": lambda: torch.set_float32_matmul_precision("high"),
    "medium": lambda: torch.set_float32_matmul_precision("medium"),
    "no TF32 in cuDNN": lambda: setattr(torch.backends.cudnn, "allow_tf32", False),
    "all TF32": lambda: setattr(torch.backends, "fp32_precision", "tf32"),
    "all exact": lambda: setattr(torch.backends, "fp32_precision", "ieee"),
    "products TF32": lambda: setattr(torch.backends.cuda.matmul, "fp32_precision", "tf32"),
    "convolutions exact": lambda: setattr(torch.backends.cudnn.conv, "fp32_precision", "ieee"),
}


@pytest.mark.usefixtures("_as_before")
@pytest.mark.parametrize("said", SAID)
def test_inside_float32_is_exact_and_afterwards_all_is_as_it_was(said):
    SAID[said]()
    before = switches()
    with exact_float32():
        inside = dict(zip(ALL, switches(), strict=False))
        with exact_float32():
            pass
        assert all(
            inside[backend, operation] == "ieee"
            for backend, operation in itertools.product(("cuda", "mkldnn"), ("matmul", "conv"))
        )
    assert switches() == before


@pytest.mark.usefixtures("_as_before")
def test_what_follows_a_common_switch_follows_it_afterwards():
    torch.backends.fp32_precision = "tf32"
    with exact_float32():
        pass
    torch.backends.fp32_precision = "ieee"
    assert torch.backends.cuda.matmul.fp32_precision == "ieee"
