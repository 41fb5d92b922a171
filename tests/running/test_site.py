"""A static site of finished runs."""

import re
import shutil

import pandas as pd
import pytest

from xaibench.core.errors import XaibenchError
from xaibench.report.site import INDEX, build_site


@pytest.mark.slow
def test_an_index_leads_to_each_board_with_its_rows(finished_copy, tmp_path, call):
    again = tmp_path / "results" / "b&<b>"
    shutil.copytree(finished_copy, again)
    code, out, err = call("site", finished_copy, again.parent, "--out", tmp_path / "site")
    assert code == 0, err
    assert "2 boards" in out
    index = (tmp_path / "site" / INDEX).read_text("utf-8")
    links = re.findall(r'href="([^"#]+)"', index)
    for link in set(links):
        target = link.replace("%26", "&").replace("%3C", "<").replace("%3E", ">")
        assert (tmp_path / "site" / target).is_file(), link
    assert "b&amp;&lt;b&gt;" in index
    assert "<b>" not in index.replace("<b>Warnings</b>", "")
    board = pd.read_csv(finished_copy / "leaderboard.csv")
    assert index.count("<tr data-kind=") == 2 * len(board)
    for value in board["iou"].dropna():
        assert f"{value:.3f}" in index
    # No weights, no maps and no path of the machine.
    names = {path.suffix for path in (tmp_path / "site").rglob("*")}
    assert not names & {".pt", ".npz", ".log"}
    assert str(tmp_path) not in index
    before = (tmp_path / "site" / INDEX).read_bytes()
    build_site([finished_copy, again.parent], tmp_path / "site")
    assert (tmp_path / "site" / INDEX).read_bytes() == before


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
