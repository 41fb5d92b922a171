"""Reconstruction: how well an autoencoder draws images, clean and noisy ones."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from xaibench.core.errors import XaibenchError
from xaibench.core.findings import Findings, PictureRows
from xaibench.core.registry import analysis

Restore = Callable[[float, int], tuple[Mapping[str, NDArray[np.float64]], NDArray[np.uint8]]]


@analysis(
    quantities={
        "error": "mean squared error of what is drawn from the image itself; with a class in "
        "brackets, of that class",
        "noisy_error": "mean squared error of the noisy image",
        "restored_error": "mean squared error of what is drawn from the noisy image",
        "noisy_psnr": "peak signal-to-noise ratio of the noisy image, in dB",
        "restored_psnr": "that of what is drawn from it",
        "noisy_ssim": "structural similarity of the noisy image to the clean one",
        "restored_ssim": "that of what is drawn from it",
    },
    bounds=(-1.0, 100.0),
    paper="wang2004ssim",
)
def reconstruction(
    errors: NDArray[np.float64],
    restore: Restore,
    labels: NDArray[np.int64],
    class_names: tuple[str, ...],
    *,
    noise: float = 0.3,
    shown: int = 8,
) -> Findings:
    """Compare what a model draws with the clean images, from these and from noisy ones.

    Noise is gray and normal. Pairs test whether drawing takes noise away.

    Args:
        errors: ``(N,)`` mean squared errors.
        restore: adds noise and compares.
        labels: ``(N,)``.
        class_names: K of them.
        noise: standard deviation of the noise; pixels are in [0, 1].
        shown: test images in the picture.

    Raises:
        XaibenchError: an option is too small.
    """
    if noise < 0 or shown < 1:
        raise XaibenchError(
            f"reconstruction[noise={noise:g},shown={shown}]: noise is at least 0, and shown 1."
        )
    measured, pictures = restore(noise, shown)
    of_class = {
        f"error[{name}]": np.where(labels == k, errors, np.nan)
        for k, name in enumerate(class_names)
    }
    headings = "original", f"with noise of {noise:g}", "drawn from that"
    return Findings(
        quantities={"error": errors, **of_class, **measured},
        pairs=[(f"restored_{name}", f"noisy_{name}") for name in ("error", "psnr", "ssim")],
        pixels={"restored": pictures},
        figures=[PictureRows("restored", "Test images", headings)],
    )
