"""How close a picture comes to the one that it should be."""

import numpy as np
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

FIDELITIES = ("error", "psnr", "ssim")
_MOST = 100.0  # dB
_WINDOW = 7


def fidelity(pictures: Tensor, clean: Tensor) -> Tensor:
    """Return mean squared error, PSNR and SSIM of pictures, ``(B, 3)`` float64 on the CPU.

    PSNR = -10 log10(error) in decibels, at most 100; SSIM (wang2004ssim), -1 to 1, is the
    mean over channels, with uniform windows of 7 x 7 pixels, or of the largest odd side that fits.

    Args:
        pictures: ``(B, C, H, W)``, to be compared.
        clean: ``(B, C, H, W)`` in [0, 1].
    """
    shown, true = (each.double().cpu() for each in (pictures, clean))
    error = (shown - true).square().mean(dim=(1, 2, 3))
    psnr = (-10 * error.clamp(min=10 ** (-_MOST / 10)).log10()).clamp(max=_MOST)
    side = min(_WINDOW, *true.shape[2:])
    likeness = [
        structural_similarity(
            *(np.asarray(each) for each in pair),
            data_range=1.0,
            channel_axis=0,
            win_size=side - 1 + side % 2,
        )
        for pair in zip(shown, true, strict=True)
    ]
    return torch.stack([error, psnr, torch.tensor(likeness, dtype=torch.float64)], dim=1)
