"""Random numbers that depend on what they are for, and on nothing else."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def seed_of(*parts: object) -> int:
    """Return a 63-bit seed from any values, the same on every machine.

    >>> seed_of(0, "benign/benign (1)", "rise") == seed_of(0, "benign/benign (1)", "rise")
    True
    """
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1


class BatchGenerator:
    """One stream of random numbers for each image, so that batches don't change what is drawn."""

    def __init__(self, seeds: Sequence[int], device: torch.device | str = "cpu") -> None:
        self._seeds = seeds
        self._streams = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._device = device

    def seed(self, row: int) -> int:
        """Return one image's seed, for random numbers that are drawn elsewhere."""
        return self._seeds[row]

    def uniform(self, *shape: int) -> Tensor:
        """Return ``(B, *shape)`` numbers in [0, 1)."""
        return self._stack([torch.rand(shape, generator=stream) for stream in self._streams])

    def normal(self, *shape: int) -> Tensor:
        """Return ``(B, *shape)`` standard normal numbers."""
        return self._stack([torch.randn(shape, generator=stream) for stream in self._streams])

    def normal_copies(self, row: int, first: int, last: int, *shape: int) -> Tensor:
        """Return ``(last - first, *shape)`` standard normal numbers for copies of one image.

        Each copy has a stream of its own, so that parts may be drawn in any order and again.
        """
        streams = [
            torch.Generator().manual_seed(seed_of(self._seeds[row], copy))
            for copy in range(first, last)
        ]
        return self._stack([torch.randn(shape, generator=stream) for stream in streams])

    def _stack(self, drawn: list[Tensor]) -> Tensor:
        return torch.stack(drawn).to(self._device)
