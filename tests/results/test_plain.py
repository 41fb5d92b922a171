"""A run's folder from elsewhere leads nowhere else: links, pipes and names that climb."""

import os
import socket

import pytest

from xaibench.core.errors import XaibenchError
from xaibench.results.folder import Layout, Place
from xaibench.results.integrity import are_intact
from xaibench.results.plain import check_plain, is_below, is_plain_name

OUTSIDE = [
    *(
        "../a",
        "a/../../b",
        "/etc/passwd",
        "..",
        ".",
        "",
        "a\\..\\b",
        "C:/a",
        "\\\\host\\a",
        "//host/a",
    ),
    *("a\x00b", "a\x1b[2J", "a\nb", "\udcff.csv", 3, None, ["a"]),
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_out_of_the_folder_are_told(name):
    assert not is_below(name)
    assert not is_plain_name(name)


def test_names_below_are_taken():
    names = ["scores.csv", "splits/kfold-2-fold0.csv", "..a", "a..b", "ä"]
    assert all(map(is_below, names))
    assert [is_plain_name(name) for name in names] == [True, False, True, True, True]


def make_odd(path, kind):
    if kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "broken link":
        path.symlink_to("nowhere")
    elif kind == "folder elsewhere":
        path.symlink_to("/etc")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(str(path))
    else:
        path.with_name("a\x1b[2J").touch()


KINDS = ["link", "broken link", "folder elsewhere", "pipe", "socket", "control characters"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["splits/extra.csv", "models/d/holdout/m/seed0/model.json"])
def test_what_is_no_plain_file_is_refused_by_name(tmp_path, monkeypatch, kind, name):
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    path = tmp_path / "run" / name
    path.parent.mkdir(parents=True)
    os.chdir(path.parent)
    make_odd(path.relative_to(path.parent), kind)
    with pytest.raises(XaibenchError, match="plain files only") as caught:
        check_plain(tmp_path / "run")
    odd = "a\x1b[2J" if kind == "control characters" else path.name
    assert str(path.with_name(odd)) in str(caught.value)


@pytest.mark.parametrize("name", ["run.json", "scores.csv", "scores.csv.xz", "cells", "run.log"])
def test_links_in_the_place_of_a_runs_own_files_are_refused(tmp_path, name):
    (tmp_path / name).symlink_to("/etc/passwd")
    with pytest.raises(XaibenchError, match=f"{name}: a link"):
        check_plain(tmp_path)


def test_what_a_run_does_not_read_is_no_concern(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes").symlink_to("/etc")
    (tmp_path / "run" / "cells").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "run")
    check_plain(tmp_path / "linked")
    check_plain(tmp_path / "absent")


def test_places_of_any_name_lie_below_the_output(tmp_path):
    layout = Layout(tmp_path)
    place = Place("../d", "../../s", "../f", "../m", "../../x")
    cell, analysis = layout.cell_folder(place, "../../y"), layout.analysis_folder(place, "..")
    for path in (layout.split_file(place), layout.model_folder(place), cell, analysis):
        assert ".." not in path.relative_to(tmp_path).parts
    assert Place("d", "kfold:5", 3, "m", 0).fold_name == "kfold-5-fold3"
    assert layout.model_folder(Place("d", "holdout", 0, "m", 1)) == (
        tmp_path / "models" / "d" / "holdout" / "m" / "seed1"
    )


def test_a_record_names_no_file_elsewhere(tmp_path):
    (tmp_path / "secret").touch()
    (tmp_path / "cell").mkdir()
    sha = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (tmp_path / "cell" / "maps.npz").touch()
    assert are_intact(tmp_path / "cell", {"maps.npz": sha})
    assert not are_intact(tmp_path / "cell", {"maps.npz": sha, "../secret": sha})
