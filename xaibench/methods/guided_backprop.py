"""Guided backpropagation: the gradient along ways that only add evidence."""

from collections.abc import Callable

from torch import Tensor

from xaibench.core.registry import method


@method(paper="springenberg2015guided", family="gradient", sign="none")
def guided_backprop(images: Tensor, differentiate: Callable[..., Tensor]) -> Tensor:
    """Return max over channels of |guided dy/dx|, shape (B, H, W).

    Every ReLU passes on only positive gradients; other nonlinearities keep their derivative.
    """
    return differentiate(images, guided=True).abs().amax(dim=1)
