"""Smooth Grad-CAM++: Grad-CAM++ with derivatives averaged over noisy copies of the image."""

from collections.abc import Callable

import torch
from torch import Tensor, einsum

from xaibench.core.cam import plus_plus_weights
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method
from xaibench.core.seeds import BatchGenerator


@method(paper="omeiza2019smoothgradcampp", family="cam")
def smooth_gradcam_pp(
    images: Tensor,
    activations: Tensor,
    generator: BatchGenerator,
    record: Callable[..., tuple[Tensor, Tensor]],
    *,
    samples: int = 25,
    noise: float = 0.15,
) -> Tensor:
    """Return ReLU(sum_d w_d * A_d) with w_d from averaged g, g^2 and g^3, shape (B, h, w).

    Options:
        samples: noisy copies.
        noise: their standard deviation as a share of the image's range.
    """
    if samples < 1 or noise < 0:
        raise XaibenchError("smooth_gradcam_pp: 'samples' from 1, 'noise' from 0.")
    maps = []
    for row, image in enumerate(images):
        drawn = generator.normal_copies(row, 0, samples, *image.shape)
        _, gradients = record(row, image + noise * (image.max() - image.min()) * drawn)
        weights = plus_plus_weights(gradients[None], activations[row][None])
        maps.append(einsum("d,dhw->hw", weights[0], activations[row]).relu())
    return torch.stack(maps)
