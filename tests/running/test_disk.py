"""What raw maps take on the disk, and runs that keep none."""

import shutil

import pytest

from xaibench.running.disk import describe_maps, most_bytes, taken_bytes
from xaibench.running.plan import make_plan
from xaibench.setup.selection import select

METRICS = ("iou", "drop_in_confidence")


@pytest.fixture(scope="module")
def given(small):
    return {**small, "methods": ("gradcam", "gradient"), "metrics": METRICS, "image_size": 48}


@pytest.fixture(scope="module")
def keeping(given, run_cells, tmp_path_factory):
    out = tmp_path_factory.mktemp("keeping") / "out"
    run_cells(given, out)
    return out


@pytest.fixture(scope="module")
def bare_run(given, run_cells, tmp_path_factory):
    """A run without maps; read only."""
    out = tmp_path_factory.mktemp("bare") / "out"
    run_cells(given, out, keep_maps=False)
    return out


def most(given, out, **changed):
    selection = select({**given, "out": str(out), **changed})
    return most_bytes(selection, make_plan(selection))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        pytest.param({"target": "label", "metrics": ("iou",)}, marks=pytest.mark.slow),
        {"controls": True, "dataset": "phantom[images=60]"},
        pytest.param(
            {"methods": ("gradcam",), "models": ("pocket_saliency",)}, marks=pytest.mark.slow
        ),
    ],
    ids=["both classes", "one class", "controls", "cam"],
)
def test_what_maps_take_at_most_is_at_most_twice_what_they_take(
    given, run_cells, tmp_path, changed
):
    expected = most(given, tmp_path, **changed)
    run_cells(given, tmp_path, **changed)
    assert taken_bytes(tmp_path) <= expected <= 2 * taken_bytes(tmp_path)


def test_the_plan_says_what_maps_take_and_what_is_free(given, tmp_path, monkeypatch):
    selection = select({**given, "out": str(tmp_path / "not" / "yet")})
    plan = make_plan(selection)
    (line,) = describe_maps(selection, plan)
    # Four test images, three maps of two each; 48 x 48 and 12 x 12 numbers, and names.
    names = 2 * sum(len(sample.id) + 128 for sample in selection.split(0).test)
    kilobytes = 1.5 * (len(selection.split(0).test) * 4 * (48**2 + 12**2) + 2 * names) / 1000
    assert line == f"raw maps: at most {kilobytes:.1f} kB on disk (--no-keep-maps keeps none)"
    usage = shutil._ntuple_diskusage(10**9, 10**9 - 12_345, 12_345)
    monkeypatch.setattr("xaibench.running.disk.shutil.disk_usage", lambda _: usage)
    assert "on disk, where 12.3 kB are free (" in describe_maps(selection, plan)[0]


@pytest.mark.slow
def test_what_is_there_takes_nothing_more(given, keeping):
    assert most(given, keeping) == 0
    assert most(given, keeping, metrics=(*METRICS, "hit_rate")) == 0
    more = most(given, keeping, methods=("gradcam", "gradient", "input_x_gradient"))
    assert 0 < more < most(given, keeping.with_name("empty"))
    assert most(given, keeping.with_name("empty"), keep_maps=False) == 0


@pytest.mark.slow
def test_without_maps_the_scores_are_the_same_and_hold(given, keeping, bare_run, plan_of):
    assert taken_bytes(bare_run) == 0
    assert (bare_run / "scores.csv").read_bytes() == (keeping / "scores.csv").read_bytes()
    for keep_maps in (False, True):  # what is scored isn't explained again for its pictures' sake
        assert plan_of(given, bare_run, keep_maps=keep_maps).jobs == []


@pytest.mark.slow
def test_without_maps_a_new_metric_explains_again(given, bare_run, keeping, run_cells, tmp_path):
    out, more = shutil.copytree(bare_run, tmp_path / "out"), (*METRICS, "hit_rate")
    run_cells(given, out, keep_maps=False, metrics=more)
    assert taken_bytes(out) == 0
    whole = shutil.copytree(keeping, tmp_path / "whole")
    run_cells(given, whole, metrics=more)
    assert (out / "scores.csv").read_bytes() == (whole / "scores.csv").read_bytes()


@pytest.mark.slow
def test_report_and_diagnose_say_what_is_missing(bare_run, plugin_file, call, tmp_path):
    out = shutil.copytree(bare_run, tmp_path / "out")
    code, _, told = call("report", out, "--plugin", plugin_file)
    assert code == 0
    assert "no gallery and no picture grid: the run kept no maps" in told
    assert not (out / "grid.png").exists()
    assert 'id="gallery"' not in (out / "report.html").read_text("utf-8")
    code, _, told = call("diagnose", out, "--plugin", plugin_file)
    assert code != 0
    assert told == (
        f"error: {out}: the run of pocket, fold 0, seed 0 kept no maps (--no-keep-maps), which are "
        "compared here; run it again with --keep-maps and another --out.\n"
    )
