"""The precision of what passes return."""

import torch
from torch import Tensor


def at_least_single(values: Tensor) -> Tensor:
    """Return half precision as float32; float64 stays, as a user may want to see exact maps."""
    return values if values.dtype == torch.float64 else values.float()
