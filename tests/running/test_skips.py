"""What a method can't explain is skipped with its reason, at plan time or when it says so."""

import json

import pandas as pd
import pytest

from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method
from xaibench.report.write import write_report

PLUGIN = '''
"""Methods that can't explain everything."""

import xaibench
from torch import Tensor


@xaibench.method(title="Picky one", family="fusion", supervision="boxes", share=0.25)
def picky(images: Tensor, *, shy: bool = True) -> Tensor:
    """Return the first channel, unless it is shy."""
    if shy:
        raise xaibench.Unsupported("it looks at other pictures only")
    return images[:, 0]


@xaibench.method(needs={"attention"})
def attentive(images: Tensor) -> Tensor:
    """Return the first channel."""
    return images[:, 0]
'''


@pytest.fixture
def picky(small, tmp_path):
    file = tmp_path / "picky_plugin.py"
    file.write_text(PLUGIN, "utf-8")
    methods = ("gradcam", "picky", "picky[shy=false]", "attentive")
    return {**small, "plugin": (*small["plugin"], str(file)), "methods": methods}


@pytest.mark.slow
def test_what_is_unsupported_is_skipped_and_never_fails(picky, run_cells, plan_of, tmp_path):
    outcome = run_cells(picky, tmp_path / "out")
    assert outcome.failures == {}
    told = {skip.what: skip.reason for skip in outcome.skips}
    assert told == {
        "picky on pocket, fold 0, seed 0": "it looks at other pictures only",
        "attentive on pocket": "pocket has no attention",
    }
    assert set(pd.read_csv(tmp_path / "out/scores.csv")["method"]) == {
        "gradcam",
        "picky[shy=false]",
    }
    run = json.loads((tmp_path / "out/run.json").read_text("utf-8"))
    assert {each["what"] for each in run["skipped"]} == told.keys()
    write_report(tmp_path / "out")
    page = (tmp_path / "out/leaderboard.md").read_text("utf-8")
    assert "Picky one[shy=false] (fusion, boxes for 25 %)" in page
    again = plan_of(picky, tmp_path / "out")
    assert again.jobs == []
    assert again.failed == {}
    assert {skip.what for skip in again.skips} == told.keys()


def test_needs_and_texts_are_checked_at_import():
    def tried(images):
        return images[:, 0]

    for said, wrong in [
        ({"needs": {"atention"}}, "did you mean 'attention'"),
        ({"title": " "}, "title=' '"),
        ({"family": "a\nb"}, "one line"),
    ]:
        with pytest.raises(XaibenchError, match=wrong):
            method(**said)(tried)
