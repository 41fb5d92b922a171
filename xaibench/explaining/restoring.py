"""What an autoencoder makes of new pictures, as they are and with noise added."""

from collections.abc import Mapping

import torch
from torch import Tensor

from xaibench.core.explanation import Denoised, Reconstruction
from xaibench.core.passes.device import as_bytes
from xaibench.core.passes.engine import Engine
from xaibench.core.restoration import fidelity
from xaibench.core.seeds import BatchGenerator, seed_of


def reconstruct(
    engine: Engine, images: Tensor, thresholds: Mapping[str, float], noise: float | None
) -> list[Reconstruction]:
    """Return what a model that reconstructs draws of each picture.

    Args:
        engine: runs it.
        images: ``(B, 3, H, W)`` in [0, 1].
        thresholds: of the error, by the analysis that set it.
        noise: standard deviation of gray noise that is added, too; None adds none. It is the same
            for every picture.
    """
    drawn = _draw(engine, images)
    errors = (drawn - images).double().square().mean(dim=(1, 2, 3)).tolist()
    seen, shown = (as_bytes(each).cpu().numpy() for each in (images, drawn))
    denoised = [None] * len(images) if noise is None else _denoise(engine, images, noise)
    return [
        Reconstruction(error, thresholds, seen[row], shown[row], denoised[row])
        for row, error in enumerate(errors)
    ]


def _denoise(engine: Engine, images: Tensor, noise: float) -> list[Denoised | None]:
    seeds = [seed_of("explain", "noise")] * len(images)
    noisy = images + noise * BatchGenerator(seeds, images.device).normal(1, *images.shape[2:])
    restored = _draw(engine, noisy)
    measured = [fidelity(each, images)[:, 1:].tolist() for each in (noisy, restored)]
    shown = [as_bytes(each).cpu().numpy() for each in (noisy, restored)]
    return [
        Denoised(noise, *(part[row] for part in shown), *(tuple(part[row]) for part in measured))
        for row in range(len(images))
    ]


def _draw(engine: Engine, images: Tensor) -> Tensor:
    filled = engine.batch_size(images).fill(images)
    with torch.inference_mode(), engine.casting():
        drawn = engine.model.outputs(filled).reconstruction
    assert drawn is not None
    return drawn[: len(images)]
