"""How many images one pass takes: found by itself, halved when memory runs out."""

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

from xaibench.core.errors import OutOfMemoryError

Result = TypeVar("Result")
_log = logging.getLogger(__name__)

# Matrix kernels treat leftover rows otherwise than full blocks. With every pass filled up to a
# multiple of four images an image's outputs are the same bits in any batch (measured on the CPU).
_BLOCK = 4
# With a single thread torch takes another kernel for 1x1 convolutions of fewer than 16 images.
_BLOCK_OF_ONE_THREAD = 16
_SMALLEST, _LARGEST = 4, 256
_NO_MEMORY = (
    "can't allocate memory", "could not create a memory",  # the CPU's allocator, oneDNN
    "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED",
    # cuDNN, where no way to compute a convolution has room for its workspace.
    "unable to find an engine to execute this computation",
)  # fmt: skip


class BatchSize:
    """The number of rows that one kind of pass takes at once.

    On the CPU it starts where more gain nothing; on a GPU it doubles while half of the memory is
    free. Where memory runs out it is halved, and the pass is made again.
    """

    def __init__(
        self,
        device: torch.device,
        fitting: int,
        largest: int = _LARGEST,
        *,
        full_blocks: bool = True,
    ) -> None:
        """Start at the power of two below ``fitting``, from 4, or a full block, to ``largest``."""
        self._device, self._largest = device, largest
        self._block = _full_block(device) if full_blocks else 1
        self.size = max(_SMALLEST, self._block, min(largest, 1 << max(fitting, 1).bit_length() - 1))

    @classmethod
    def exactly(cls, device: torch.device, rows: int) -> "BatchSize":
        """Return one that starts with so many rows, and never takes more."""
        made = cls(device, rows, rows, full_blocks=False)
        made.size = rows
        return made

    def fill(self, rows: Tensor, *, whole: bool = False) -> Tensor:
        """Repeat the last row until they are full blocks, or a whole pass, in the same layout.

        Where no full block fits into memory blocks are smaller.
        """
        missing = -len(rows) % (self.size if whole else min(self._block, self.size))
        if not missing:
            return rows
        # Joining would lay channels first again, for which there are other kernels.
        last = rows.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last else torch.contiguous_format
        filled = torch.cat([rows, rows[-1:].expand(missing, -1, -1, -1)])
        return filled.contiguous(memory_format=layout)

    def over(self, count: int, work: Callable[[int, int], Result]) -> Iterator[Result]:
        """Yield ``work(first, last)`` for consecutive parts of ``range(count)``.

        Raises:
            OutOfMemoryError: not even a single image fits into memory.
        """
        first = 0
        while first < count:
            last = min(first + self.size, count)
            lacking = False
            try:
                result = work(first, last)
            except (RuntimeError, MemoryError) as error:
                if not ran_out_of_memory(error):
                    raise
                lacking = True
            if lacking:  # out here, as an exception in flight keeps the pass's tensors alive
                self._halve()
                continue
            yield result
            if last - first == self.size:
                self._grow()
            first = last

    def _halve(self) -> None:
        if self.size == 1:
            raise OutOfMemoryError(
                "out of memory with a single image; choose a smaller --image-size or a machine "
                "with more memory."
            )
        self.size //= 2
        _log.info("note: out of memory: passes take %d rows at once from now on", self.size)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _grow(self) -> None:
        if self._device.type == "cuda" and self.size < self._largest:
            free, total = torch.cuda.mem_get_info(self._device)
            if free > total // 2:
                self.size *= 2


def _full_block(device: torch.device) -> int:
    one_thread = device.type == "cpu" and torch.get_num_threads() == 1
    return _BLOCK_OF_ONE_THREAD if one_thread else _BLOCK


def ran_out_of_memory(error: Exception) -> bool:
    """Whether an exception of torch or Python says so."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    # Others say it in words only.
    text = str(error)
    # Where a primitive lacks more than memory, oneDNN says what.
    return text == "could not create a primitive" or any(words in text for words in _NO_MEMORY)


def let_through(error: Exception) -> None:
    """Raise an error again that is lack of memory: it says nothing about what was tried out."""
    if ran_out_of_memory(error):
        raise error
