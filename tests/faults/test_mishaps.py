"""A plugin that fails costs its own results; its error is kept until it is tried again."""

import json
from pathlib import Path

import pytest
from live_runs import Live, arguments

from results import TABLES, leftovers_of, results_of

pytestmark = pytest.mark.slow  # whole runs in processes of their own

PLUGIN = Path(__file__).with_name("mishaps.py")
CHANGED = {
    "models": "pocket", "methods": "gradcam,mishap", "metrics": "iou,pxap,clumsy",
    "analyses": "awkward,pca",
}  # fmt: skip
PLACE = "on pocket, fold 0, seed 0"
OUT_OF_LUCK = "RuntimeError('out of luck')"
MISHAPS = [
    ("mishap", "raise", f"mishap {PLACE}: {OUT_OF_LUCK}"),
    ("mishap", "quit", f"mishap {PLACE}: RuntimeError('it called sys.exit(0)')"),
    ("mishap", "nan", f"mishap {PLACE}: method mishap returned nothing but NaN or infinity."),
    ("clumsy", "raise", f"clumsy of gradcam {PLACE}: metric clumsy failed: {OUT_OF_LUCK}"),
    ("awkward", "raise", f"awkward {PLACE}: {OUT_OF_LUCK}"),
]  # fmt: skip


@pytest.fixture
def mishaps(tmp_path):
    """A folder whose files say what goes wrong, and count who is asked."""
    folder = tmp_path / "mishaps"
    folder.mkdir()
    return folder


@pytest.fixture
def start(mishaps, tmp_path):
    def run(out, command="cells", plugin=PLUGIN, **changed):
        words = [*arguments(out, command, **{**CHANGED, **changed}), "--plugin", plugin]
        return Live(words, tmp_path / "said", MISHAPS=str(mishaps)).wait()

    return run


@pytest.fixture(scope="module")
def unharmed(tmp_path_factory):
    out = tmp_path_factory.mktemp("unharmed") / "out"
    words = [*arguments(out, "cells", **CHANGED), "--plugin", PLUGIN]
    assert Live(words, out.with_name("said"), MISHAPS=str(out.parent)).wait()[0] == 0
    return results_of(out)


def calls(mishaps, name):
    return len((mishaps / f"{name}.calls").read_text())


def cell(out, method):
    path = out / "cells/phantom-images=60/holdout/pocket/seed0" / method / "cell.json"
    return json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize(("who", "what", "why"), MISHAPS, ids=lambda value: value[:7])
def test_a_failure_is_a_result(who, what, why, mishaps, start, unharmed, tmp_path):
    out = tmp_path / "out"
    (mishaps / who).write_text(what)
    code, said = start(out)
    assert code == 3
    failures = [line for line in said.splitlines() if line.startswith("failed: ")]
    assert why in failures[0]
    assert len(failures) == (2 if who == "clumsy" else 1)
    lost = {"mishap": "mishap,", "clumsy": ",clumsy,"}.get(who, "nothing")
    others = [line for line in unharmed["scores.csv"] if lost.encode() not in line]
    assert sorted((out / "scores.csv").read_bytes().splitlines()) == others
    before = calls(mishaps, who)
    assert start(out) == (3, "\n".join([*failures, ""]))
    # A plan tries metrics and analyses on what it makes up; nobody asks a method.
    rehearsed = {"mishap": 0, "clumsy": 1, "awkward": 1}[who]
    assert calls(mishaps, who) == before + rehearsed
    (mishaps / who).unlink()
    others = calls(mishaps, "clumsy")
    assert start(out, retry_failed=True)[0] == 0
    tables = results_of(out)  # in the cells rows may be in another order
    assert all(tables[name] == unharmed[name] for name in TABLES)
    assert leftovers_of(out) == []
    if who == "awkward":  # and only that was tried
        assert calls(mishaps, "clumsy") == others + 1


def test_a_lack_of_memory_is_nobodys_failure(mishaps, start, unharmed, tmp_path):
    out = tmp_path / "out"
    (mishaps / "mishap").write_text("hog")
    code, said = start(out)
    assert code == 2
    assert "out of memory with a single image" in said  # after one, not two at once, was tried
    (mishaps / "mishap").unlink()
    assert start(out)[0] == 0  # tried again without being asked to
    assert all(results_of(out)[name] == unharmed[name] for name in TABLES)


def test_some_maps_of_nan_fail_nobody(mishaps, start, unharmed, tmp_path):
    (mishaps / "mishap").write_text("some nan")
    assert start(tmp_path / "out")[0] == 0
    rows = (tmp_path / "out" / "scores.csv").read_text().splitlines()
    assert sum(",non-finite map," in row for row in rows) == 9  # three metrics, three batches


def test_failures_stand_in_the_record_the_summary_and_the_page(mishaps, start, tmp_path):
    out = tmp_path / "out"
    for name in ("mishap", "awkward"):
        (mishaps / name).write_text("raise")
    code, said = start(out, "run")
    assert code == 3
    assert "2 failed" in said
    assert cell(out, "mishap")["error"] == OUT_OF_LUCK
    page = (out / "report.html").read_text("utf-8")
    assert page.count("out of luck") >= 2
    code, said = start(out, "run")
    assert code == 3
    assert "(--retry-failed tries again what has failed)" in said
    assert f"failed before: awkward {PLACE}: {OUT_OF_LUCK}" in said


def test_an_edited_plugin_is_tried_without_being_told(mishaps, start, unharmed, tmp_path):
    out, plugin = tmp_path / "out", tmp_path / "mishaps.py"
    code = PLUGIN.read_text("utf-8")
    broken = code.replace("    blue = images", "    raise RuntimeError(1)\n    blue = images")
    assert broken != code
    plugin.write_text(broken, "utf-8")
    assert start(out, plugin=plugin)[0] == 3
    plugin.write_text(code, "utf-8")
    assert start(out, plugin=plugin)[0] == 0
    assert results_of(out)["scores.csv"] == unharmed["scores.csv"]


def test_a_model_that_cant_be_trained_costs_its_own_cells(mishaps, start, tmp_path):
    out, given = tmp_path / "out", {"models": "pocket,stumbling", "methods": "gradcam"}
    (mishaps / "stumbling").write_text("raise")
    code, said = start(out, **given)
    assert code == 3
    assert said.splitlines()[-1] == f"failed: stumbling, fold 0, seed 0: {OUT_OF_LUCK}"
    models = {line.split(",")[3] for line in (out / "scores.csv").read_text().splitlines()[1:]}
    assert models == {"pocket"}
    (mishaps / "stumbling").unlink()
    assert start(out, **given)[0] == 0
    models = {line.split(",")[3] for line in (out / "scores.csv").read_text().splitlines()[1:]}
    assert models == {"pocket", "stumbling"}


def test_a_replica_that_fails_is_a_failure_of_its_model(mishaps, start, tmp_path):
    (mishaps / "stumbling").write_text("raise")
    code, said = start(tmp_path / "out", models="stumbling", replicas=2)
    assert code == 3
    assert said.splitlines()[-1] == f"failed: stumbling, fold 0, seed 0: {OUT_OF_LUCK}"
