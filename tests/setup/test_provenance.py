"""Who made a result is told where it was made, and no later call claims it."""

import json

import pytest

from xaibench.results.integrity import read_record
from xaibench.results.records import Made
from xaibench.setup import provenance
from xaibench.setup.provenance import each_once, is_of_today, mixed_versions

ADDED = {"methods": ("gradcam", "spn", "gradient"), "models": ("pocket",), "seeds": (0,),
         "controls": False}  # fmt: skip


@pytest.fixture
def upgraded(monkeypatch):
    """Another torch is installed."""
    versions_of = provenance.versions_of
    monkeypatch.setattr(
        provenance, "versions_of",
        lambda names: versions_of(names) | ({"torch": "99.1"} if "torch" in set(names) else {}),
    )  # fmt: skip


def told(out):
    return json.loads((out / "run.json").read_text("utf-8"))


def test_each_model_and_cell_tells_who_made_it(finished_run):
    records = [*finished_run.out.glob("models/**/model.json"),
               *finished_run.out.glob("cells/**/cell.json")]  # fmt: skip
    assert len(records) > 20
    for path in records:
        [made] = read_record(path, dict)["made_by"]
        assert {"xaibench", "torch", "torchvision", "python"} <= made["versions"].keys()
        assert made["compute"]["device"]
        assert (made["precision"], made["date"][:2]) == ("fp32", "20")
    assert len(told(finished_run.out)["made_by"]) == 1


@pytest.mark.slow
def test_a_finished_run_repeated_under_another_torch_changes_nothing(
    settings, finished_copy, run_cells, upgraded
):
    run_cells(settings, finished_copy)  # the copy has another --out, and run.json says so
    before = {path: path.read_bytes() for path in finished_copy.rglob("*.[jc]s*")}
    times = {path: path.stat().st_mtime_ns for path in [*finished_copy.glob("*.[jc]s*")]}
    run_cells(settings, finished_copy)
    assert {path: path.read_bytes() for path in finished_copy.rglob("*.[jc]s*")} == before
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert "99.1" not in (finished_copy / "run.json").read_text("utf-8")


@pytest.mark.slow
def test_a_board_of_mixed_versions_says_so_and_strict_ones_make_it_again(
    settings, finished_copy, run_cells, plan_of, upgraded
):
    run_cells({**settings, **ADDED}, finished_copy)
    about = told(finished_copy)
    assert about["versions"]["torch"].endswith(" and 99.1")
    assert "results were made by different versions: torch " in about["warnings"][-1]
    assert [made["versions"]["torch"] for made in about["made_by"]][-1] == "99.1"
    assert plan_of({**settings, **ADDED}, finished_copy).jobs == []
    plan = plan_of({**settings, **ADDED}, finished_copy, strict_versions=True)
    assert len(plan.trainings) == 2
    assert plan.changed["pocket, fold 0, seed 0"] == "other versions have made it"


def test_what_differs_by_its_date_alone_is_told_once():
    early, late = (Made(versions={"torch": "2"}, date=date) for date in ("2025", "2026"))
    other = Made(versions={"torch": "3"}, date="2024")
    assert each_once([late, early, other, late]) == [other, late]
    assert mixed_versions([early, late]) == []
    assert mixed_versions([other, late])[0].startswith(
        "results were made by different versions: torch 3 and 2;"
    )


def test_nobody_knows_the_versions_of_what_tells_none():
    assert not is_of_today([])
    assert not is_of_today([Made(date="2025")])
