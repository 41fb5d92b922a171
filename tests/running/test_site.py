"""A static site of a finished run, which is published first."""

import shutil

import pandas as pd
import pytest

from xaibench.core.errors import XaibenchError
from xaibench.report.site import build_site


@pytest.mark.slow
def test_a_finished_run_becomes_a_board_of_a_site(finished_copy, tmp_path, call):
    code, out, err = call("site", finished_copy, "--out", tmp_path / "site")
    assert code == 0, err
    assert "1 board" in out
    page = (tmp_path / "site" / "copy" / "index.html").read_text("utf-8")
    board = pd.read_csv(finished_copy / "leaderboard.csv")
    for value in board["iou"].dropna():
        assert f"{value:.3f}" in page
    # No weights, no maps and no path of the machine.
    names = {path.suffix for path in (tmp_path / "site").rglob("*")}
    assert not names & {".pt", ".npz", ".log"}
    assert str(tmp_path) not in page


def test_what_is_no_site_is_left_alone(finished_run, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine", "utf-8")
    with pytest.raises(XaibenchError, match="something else lies there"):
        build_site([finished_run.out], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_two_boards_of_one_name_are_refused(finished_run, tmp_path):
    shutil.copytree(finished_run.out, tmp_path / "a" / "run")
    shutil.copytree(finished_run.out, tmp_path / "b" / "run")
    with pytest.raises(XaibenchError, match="are both called run; rename one"):
        build_site([tmp_path / "a", tmp_path / "b"], tmp_path / "site")


def test_folders_without_a_run_are_named(tmp_path):
    with pytest.raises(XaibenchError, match="no finished run lies there"):
        build_site([tmp_path], tmp_path / "site")
