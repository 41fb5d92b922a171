import json
import os
import subprocess
import sys

import pytest
import torch

from xaibench.core.errors import XaibenchError
from xaibench.core.passes.batching import BatchSize

CPU = torch.device("cpu")


def plain(fitting):
    return BatchSize(CPU, fitting, full_blocks=False)


class Memory:
    """Work that fits ``most`` rows at once, and a record of what was tried and what was done."""

    def __init__(self, most, error=MemoryError):
        self.most, self.error, self.tried, self.done = most, error, [], []

    def __call__(self, first, last):
        self.tried.append(last - first)
        if last - first > self.most:
            raise self.error
        self.done.append((first, last))
        return list(range(first, last))


@pytest.mark.parametrize(
    ("fitting", "size"), [(0, 4), (1, 4), (7, 4), (8, 8), (9, 8), (200, 128), (10_000, 256)]
)
def test_a_size_starts_at_the_power_of_two_below_what_fits(fitting, size):
    assert plain(fitting).size == size


@pytest.mark.parametrize("count", [1, 3, 8, 9, 31])
def test_parts_are_consecutive_and_full_but_for_the_last(count):
    work = Memory(100)
    rows = [row for part in plain(8).over(count, work) for row in part]
    assert rows == list(range(count))
    assert work.tried == [8] * (count // 8) + [count % 8] * (count % 8 > 0)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate "
                     "memory: you tried to allocate 8 bytes. Error code 12"),
        RuntimeError("could not create a memory object"),
        RuntimeError("could not create a primitive"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
    ],
    ids=repr,
)  # fmt: skip
def test_rows_that_run_out_of_memory_are_tried_again_in_halves_each_done_once_in_order(
    error, caplog
):
    caplog.set_level("INFO", "xaibench")
    size, work = plain(16), Memory(3, error)
    rows = [row for part in size.over(37, work) for row in part]
    assert rows == list(range(37))
    assert work.tried[:4] == [16, 8, 4, 2]
    assert set(work.tried[3:]) == {2, 1}
    assert size.size == 2
    assert caplog.messages[-1] == "note: out of memory: passes take 2 rows at once from now on"


def test_memory_that_runs_out_half_way_costs_no_row():
    size, work = plain(8), Memory(8)
    rows = []
    for part in size.over(30, work):
        rows += part
        work.most = 8 if len(rows) < 16 else 3
    assert rows == list(range(30))
    assert work.done[:2] == [(0, 8), (8, 16)]
    assert work.done[2:] == [(first, first + 2) for first in range(16, 30, 2)]


def test_a_size_once_found_is_kept_for_the_next_pass():
    size, work = plain(16), Memory(4)
    list(size.over(16, work))
    work.tried.clear()
    list(size.over(16, work))
    assert work.tried == [4] * 4


def test_a_row_that_does_not_fit_alone_is_named():
    work = Memory(0)
    with pytest.raises(XaibenchError, match="out of memory with a single image"):
        list(plain(16).over(5, work))
    assert work.tried == [5, 5, 4, 2, 1]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shapes don't fit"),
        RuntimeError("could not create a primitive descriptor for a convolution"),
        KeyError("no"),
    ],
    ids=repr,
)
def test_other_errors_pass_at_the_first_try(error):
    work = Memory(0, error)
    with pytest.raises(type(error)):
        list(plain(16).over(5, work))
    assert len(work.tried) == 1


def test_what_a_failed_pass_held_is_free_before_the_next_try():
    held = []

    class Tensors:
        def __init__(self):
            held.append(self)

        def __del__(self):
            freed.append(self)

    freed, sizes = [], []

    def work(first, last):
        sizes.append((last - first, len(freed)))
        _big = Tensors()
        held.clear()
        if last - first > 4:
            raise MemoryError
        return last

    list(plain(16).over(16, work))
    assert sizes[:3] == [(16, 0), (8, 1), (4, 2)]


@pytest.fixture(params=[1, 2])
def block(request):
    """The rows of a full block with so many threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield {1: 16, 2: 4}[request.param]
    torch.set_num_threads(threads)


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 16, 17, 33])
def test_passes_are_filled_up_with_the_last_row(rows, block):
    images = torch.arange(rows * 2.0).view(rows, 2, 1, 1)
    filled = BatchSize(CPU, 64).fill(images)
    assert len(filled) == -(-rows // block) * block
    assert torch.equal(filled[:rows], images)
    assert (filled[rows:] == images[-1]).all()
    assert torch.equal(BatchSize(CPU, 64, full_blocks=False).fill(images), images)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("rows", [1, 2, 3, 14, 15, 16])
def test_filling_keeps_the_layout_in_memory_as_kernels_differ_by_it(rows, layout, block):
    images = torch.rand(rows, 3, 5, 7).contiguous(memory_format=layout)
    size = BatchSize(CPU, 16)
    for filled in (size.fill(images), size.fill(images, whole=True)):
        assert filled.is_contiguous(memory_format=layout)
    assert len(filled) == 16


def test_a_pass_starts_no_smaller_than_what_it_is_filled_up_to(block):
    assert BatchSize(CPU, 1).size == block
    assert BatchSize(CPU, 1, full_blocks=False).size == 4


@pytest.mark.parametrize("most", [1, 2, 3, 7, 15])
def test_where_no_full_block_fits_passes_are_filled_up_to_what_does(most, block):
    size, filled = BatchSize(CPU, 16), []

    def work(first, last):
        filled.append(len(size.fill(torch.zeros(last - first, 1, 1, 1))))
        if filled[-1] > most:
            raise MemoryError
        return last

    assert list(size.over(21, work))[-1] == 21
    assert max(filled[-2:]) <= size.size <= most


SCARCE = """
import json, resource
import torch
from torch import nn
from xaibench.core.passes.engine import Engine
from xaibench.core.model import Classifier

torch.manual_seed(0)
network = nn.Sequential(
    nn.Conv2d(3, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 3),
)  # a pass of 16 images takes 400 MB, one of 8 takes 200
model = Classifier(network, cam_layer="2").eval()
image = torch.rand(3, 224, 224, generator=torch.Generator().manual_seed(1))
asked = []

def brighter(first, last):
    asked.append((first, last))
    return torch.stack([image * (number + 1) / 20 for number in range(first, last)])

def see():
    asked.clear()
    logits = Engine(model, fold=False).stream(brighter, 20, image[None])
    return {"logits": logits.tolist(), "asked": list(asked)}

plenty = see()
with open("/proc/self/statm") as sizes:
    taken = int(sizes.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (300 << 20), resource.RLIM_INFINITY))
print(json.dumps([plenty, see()]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere address space can't be limited")
def test_images_are_seen_in_smaller_parts_when_memory_really_runs_out():
    done = subprocess.run(
        [sys.executable, "-c", SCARCE],
        env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    plenty, scarce = json.loads(done.stdout)
    assert plenty["asked"] == [[0, 16], [16, 20]]
    assert scarce["asked"] == [[0, 16], [0, 8], [8, 16], [16, 20]]
    ours, theirs = torch.tensor(scarce["logits"]), torch.tensor(plenty["logits"])
    torch.testing.assert_close(ours, theirs)
    assert (ours.diff(dim=0) != 0).any(dim=1).all()
