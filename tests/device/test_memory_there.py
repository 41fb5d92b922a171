"""Where a GPU's memory ends, in any of CUDA's words, a run takes fewer images at once."""

import pytest
import torch

import xaibench
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import bind
from xaibench.explaining.run_session import RunSession
from xaibench.explaining.score import Scorer
from xaibench.explaining.source import MapSource
from xaibench.setup.cells import ledgers_of
from xaibench.setup.selection import select

FORMS = {
    "torch": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "CUDA": RuntimeError("CUDA error: out of memory"),
    "cuBLAS": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"),
    "cuDNN": RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    "no engine": RuntimeError("GET was unable to find an engine to execute this computation"),
}
# Where it ends: a kernel, and a method that runs it.
PLACES = {
    "forward": ("convolution", "gradcam"),
    "backward": ("convolution_backward", "gradient"),
    "head": ("threshold_backward", "gradcam[layer=0]"),
}


def lacking(kernel, most, error):
    """Memory for so many rows in a kernel; and how often that was too little."""
    met = []

    def before(name, tensors):
        if name == kernel and len(tensors[0]) > most:
            met.append(name)
            raise error

    return before, met


@pytest.mark.slow
def test_a_run_halves_what_it_explains_at_once(machine, small, tmp_path):
    given = {**small, "device": "cuda", "epochs": 1, "out": str(tmp_path)}
    xaibench.run(**{**given, "methods": ("sobel",)})
    selection = select(given)
    (ledger,) = ledgers_of(selection)
    test = (selection.split(0).test * 2)[:7]

    def explained(spec):
        found = []
        source = MapSource(bind("method", spec), found.append)
        source.scorer = Scorer(selection.metrics, lambda _: "label")
        session = RunSession(ledger)
        session.walk(session.batches(test, "label"), [source])
        assert not source.failure
        (whole,) = found  # one for each batch, in however many parts it was explained
        return whole.maps["label"].values.cpu(), whole.scores, session.at_once

    for place, (kernel, method) in PLACES.items():
        maps, scores, _ = explained(method)
        for form, error in FORMS.items():
            machine.before, met = lacking(kernel, 4, error)
            again = explained(method)
            machine.before = None
            assert met, (place, form)
            assert torch.equal(again[0], maps), (place, form)
            # Part by part, so in another order; undefined scores are NaN.
            assert sorted(map(repr, again[1])) == sorted(map(repr, scores)), (place, form)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_training_that_finds_no_room_says_so_and_is_tried_again(machine, small, form, tmp_path):
    given = {**small, "device": "cuda", "epochs": 1, "recipe": "strong", "out": str(tmp_path)}
    machine.before, _ = lacking("_fused_adamw_", -1, FORMS[form])
    with pytest.raises(XaibenchError, match="ran out of memory with 16 images a step"):
        xaibench.run(**given)
    machine.before = None
    assert not xaibench.run(**given).failures
