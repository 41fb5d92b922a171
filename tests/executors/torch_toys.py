"""A task that needs torch, whose import the other toys are spared."""

import numpy as np
import torch
from threadpoolctl import threadpool_info


def count_threads(work, out):
    """Return the threads of torch and of NumPy's linear algebra."""
    np.ones((2, 3)) @ np.ones((3, 2))
    blas = {found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"}
    return torch.get_num_threads(), blas
