"""Publications hold enough to write every table again, and nothing that is heavy or private."""

import json
import lzma
import shutil

import pandas as pd
import pytest

from xaibench.report import publish as publishing

pytestmark = pytest.mark.slow  # whole runs

TABLES = ("leaderboard.csv", "leaderboard.md", "classification.csv", "decisions.csv")


@pytest.fixture
def published(finished, tmp_path, call, monkeypatch):
    monkeypatch.setattr(publishing, "_LARGE", 0)
    out = tmp_path / "published"
    code, _, err = call("publish", str(finished), str(out))
    assert code == 0, err
    return out


def test_every_table_is_written_again_from_compressed_scores(finished, published, call):
    for point in ("baseline", "0", "1"):
        assert not (published / point / "scores.csv").exists()
        six_digits(published / point / "scores.csv.xz", finished / point / "scores.csv")
    run = published / "0"
    before = {name: (run / name).read_bytes() for name in TABLES}
    for name in TABLES:
        (run / name).unlink()
    assert call("report", str(run))[0] == 0
    assert {name: (run / name).read_bytes() for name in TABLES} == before
    study = (published / "study.csv").read_bytes()
    six_digits(published / "study.csv", finished / "study.csv")
    (published / "study.csv").unlink()
    code, out, err = call("report", str(published))
    assert code == 0, err
    assert "**iou of spn**, `aware`: against 0, " in out
    assert (published / "study.csv").read_bytes() == study


def six_digits(published, finished):
    """All cells are there and say the same, values as far as six digits go."""
    tables = pd.read_csv(published), pd.read_csv(finished)
    pd.testing.assert_frame_equal(*tables, check_dtype=False, rtol=1e-5, atol=1e-6)


def test_nothing_heavy_and_no_path_leaves_the_machine(finished, published, tmp_path):
    files = [path for path in published.rglob("*") if path.is_file()]
    assert not {path.suffix for path in files} & {".pt", ".npz", ".log", ".lock", ".tmp"}
    told = json.loads((finished / "0" / "run.json").read_text("utf-8"))
    assert str(finished) in told["options"]["out"]
    for path in (path for path in files if path.suffix in (".json", ".md", ".csv")):
        text = path.read_text("utf-8")
        assert str(finished) not in text, path
        assert str(tmp_path) not in text, path
    run = json.loads((published / "0" / "run.json").read_text("utf-8"))
    assert run["options"]["out"] == "0"


def test_publications_compare_like_runs(published, tmp_path, call):
    folders = [str(published / "0"), str(published / "baseline")]
    code, _, err = call("compare", *folders, "--out", str(tmp_path / "board"))
    assert "mask_fraction" in err  # they are read, and refused for what differs
    assert code == 2


def test_a_damaged_publication_is_refused_by_name(published, call):
    path = published / "1" / "scores.csv.xz"
    path.write_bytes(lzma.compress(lzma.decompress(path.read_bytes())[:-40]))
    code, _, err = call("report", str(published / "1"))
    assert code == 2
    assert f"{path.parent}: changed or gone since the run: scores.csv" in err


CLIMBING = ["../../elsewhere", "/tmp/elsewhere", "..", "", "a/b", "\x1b[2J"]


@pytest.mark.parametrize("command", ["publish", "report"])
@pytest.mark.parametrize("point", CLIMBING)
def test_a_study_that_names_folders_elsewhere_is_refused(copy, tmp_path, call, command, point):
    told = (copy / "study.json").read_text("utf-8")
    told = told.replace('"point": "0"', f'"point": {json.dumps(point)}')
    (copy / "study.json").write_text(told, "utf-8")
    before = sorted(tmp_path.rglob("*"))
    more = [str(tmp_path / "published")] if command == "publish" else []
    code, _, err = call(command, str(copy), *more)
    assert code == 2
    assert f"{copy / 'study.json'}: entry 'arms." in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("0/splits/extra.csv", "secret"),
        ("0/predictions.csv", "secret"),
        ("0/figures/board-iou.png", "secret"),
        ("0/cells", "elsewhere"),
        ("0", "elsewhere"),
        ("study.json", "secret"),
    ],
)
def test_links_in_what_is_published_are_refused_by_name(copy, tmp_path, call, link, target):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "secret").write_text((copy / "study.json").read_text("utf-8"), "utf-8")
    place = copy / link
    if place.is_dir():
        shutil.move(place, tmp_path / "elsewhere")
    place.unlink(missing_ok=True)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(tmp_path / target)
    code, _, err = call("publish", str(copy), str(tmp_path / "published"))
    assert code == 2
    assert place.name in err
    assert not any(path.is_file() for path in (tmp_path / "published").rglob("extra.csv"))


@pytest.mark.parametrize("content", [b"%!PS-Adobe-3.0 EPSF-3.0\n", b"P6 99999 99999 255\n", b""])
def test_a_figure_that_is_no_picture_is_refused_by_name(copy, tmp_path, call, content):
    """One that is a program (PostScript) is never run."""
    figure = copy / "0" / "figures" / "board-iou.png"
    figure.parent.mkdir(exist_ok=True)
    figure.write_bytes(content)
    code, _, err = call("publish", str(copy), str(tmp_path / "published"))
    assert code == 2
    assert err.splitlines()[-1].startswith(f"error: {figure}: ")


def test_a_study_is_not_published_over_other_files(finished, tmp_path, call):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "study.md").write_text("years", "utf-8")
    code, _, err = call("publish", str(finished), str(tmp_path / "x"))
    assert code == 2
    assert "something else lies there" in err
    assert (tmp_path / "x" / "study.md").read_text("utf-8") == "years"


@pytest.mark.parametrize(
    "place",
    ["the run itself", "inside the run", "another run", "a run of analyses", "other files"],
)
def test_what_cannot_be_made_again_is_never_overwritten(copy, tmp_path, call, place):
    out = {"the run itself": copy / "0", "inside the run": copy / "0" / "mine",
           "another run": copy / "1", "other files": tmp_path / "x",
           "a run of analyses": copy / "baseline"}  # fmt: skip
    shutil.rmtree(copy / "baseline" / "cells")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "thesis.tex").write_text("years", "utf-8")
    before = sorted(tmp_path.rglob("*"))
    code, _, err = call("publish", str(copy / "0"), str(out[place]))
    assert code == 2
    assert str(out[place]) in err
    assert "choose another folder" in err
    assert sorted(tmp_path.rglob("*")) == before


def test_publishing_again_leaves_nothing_of_before(finished, published, call):
    (published / "0" / "figures").mkdir(exist_ok=True)
    (published / "0" / "figures" / "old.png").write_bytes(b"")
    code, _, err = call("publish", str(finished / "0"), str(published / "0"))
    assert code == 0, err
    assert not (published / "0" / "figures" / "old.png").exists()


def test_a_publication_s_publication_is_the_same(published, tmp_path, call):
    again = tmp_path / "again"
    assert call("publish", str(published / "0"), str(again))[0] == 0
    for name in ("scores.csv.xz", "predictions.csv.xz", "costs.csv.xz", *TABLES):
        assert (again / name).read_bytes() == (published / "0" / name).read_bytes()


def test_an_unfinished_run_is_refused(tmp_path, call):
    unfinished = tmp_path / "run"
    unfinished.mkdir()
    code, _, err = call("publish", str(unfinished), str(tmp_path / "out"))
    assert code == 2
    assert "name the --out folder of an `xaibench run`" in err
    assert not (tmp_path / "out").exists()


def test_a_folder_without_costs_is_published_as_it_is(copy, tmp_path, call):
    for name in ("costs.csv", "tables.json"):
        (copy / "0" / name).unlink()
    about = json.loads((copy / "0" / "run.json").read_text("utf-8"))
    del about["schema"]  # as of before, when costs weren't measured
    (copy / "0" / "run.json").write_text(json.dumps(about), "utf-8")
    code, _, err = call("publish", str(copy / "0"), str(tmp_path / "published"))
    assert code == 0, err
    assert not (tmp_path / "published" / "costs.csv").exists()
    assert (tmp_path / "published" / "leaderboard.md").is_file()
