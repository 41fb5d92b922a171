"""What a report is made from is sealed: a change is refused by name, or told on the page."""

import json
import re

import pytest

from xaibench.core.errors import XaibenchError
from xaibench.report.facts.material import read_material
from xaibench.report.judging.chapter import judge_all
from xaibench.report.write import write_tables
from xaibench.results.seal import changed_since
from xaibench.results.tables import read_history
from xaibench.running.collect import load_scores

HISTORY = "models/phantom-images=48/kfold-2-fold0/pocket/seed1/history.csv"


def flip_direction(text):
    return text.replace('"higher_is_better": true', '"higher_is_better": false', 1)


def raise_a_score(text):
    return re.sub(r"0\.\d+", "0.999", text, count=1)


EDITS = [
    ("run.json", flip_direction),
    ("scores.csv", raise_a_score),
    ("predictions.csv", raise_a_score),
    ("costs.csv", raise_a_score),
    ("splits/kfold-2-fold1.csv", lambda text: text.replace(",test,", ",train,", 1)),
    (HISTORY, raise_a_score),
]


def edit(file, change):
    before = file.read_text("utf-8")
    file.write_text(change(before), "utf-8")
    assert file.read_text("utf-8") != before


def test_a_finished_run_is_as_it_was(finished_run):
    assert changed_since(finished_run.out) == []


@pytest.mark.parametrize(("name", "change"), EDITS, ids=[name for name, _ in EDITS])
def test_an_edited_file_is_named_and_reported_only_if_accepted(finished_copy, name, change):
    edit(finished_copy / name, change)
    with pytest.raises(XaibenchError, match=f"changed or gone since the run: {re.escape(name)};"):
        read_material(finished_copy)
    warnings = read_material(finished_copy, accept_changes=True).run.warnings
    assert warnings[0] == f"changed or gone since the run: {name}"


@pytest.mark.parametrize("name", ["scores.csv", HISTORY])
def test_a_file_that_is_gone_is_named(finished_copy, name):
    (finished_copy / name).unlink()
    with pytest.raises(XaibenchError, match=re.escape(name)):
        read_material(finished_copy)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda seal: seal.write_text(seal.read_text()[:90]), "tables.json is damaged"),
        (lambda seal: seal.write_text("[" * 99_999), "tables.json is damaged"),
        (lambda seal: seal.write_text("[]"), "tables.json holds no JSON object"),
        (lambda seal: edit(seal, lambda text: text.replace('": "', '": "0', 3)), "is damaged"),
        (lambda seal: seal.unlink(), "changed or gone since the run: tables.json"),
    ],
    ids=["cut in half", "nested", "a list", "edited", "gone"],
)
def test_a_seal_that_can_not_be_read_vouches_for_nothing(finished_copy, spoil, said):
    edit(finished_copy / "scores.csv", raise_a_score)
    spoil(finished_copy / "tables.json")
    for read in (read_material, load_scores):
        with pytest.raises(XaibenchError, match=said):
            read(finished_copy)


@pytest.mark.slow
def test_accepted_changes_stand_in_the_document(finished_copy):
    edit(finished_copy / "scores.csv", raise_a_score)
    contents = judge_all(read_material(finished_copy, accept_changes=True), finished_copy)
    write_tables(contents, finished_copy)
    page = (finished_copy / "leaderboard.md").read_text("utf-8")
    assert "changed or gone since the run: scores.csv" in page


def test_an_analysis_that_can_not_be_read_is_an_error(finished_copy):
    folder = finished_copy / "analyses" / "phantom-images=48" / "pca"
    folder.mkdir(parents=True)
    (folder / "analysis.json").write_text('{"analysis": ', "utf-8")
    with pytest.raises(XaibenchError, match=r"analysis\.json is damaged"):
        judge_all(read_material(finished_copy), finished_copy)


def test_folders_of_before_have_checksums_of_their_tables_alone(finished_copy):
    about = json.loads((finished_copy / "run.json").read_text("utf-8"))
    seal = json.loads((finished_copy / "tables.json").read_text("utf-8"))["files"]
    del about["schema"]
    (finished_copy / "run.json").write_text(json.dumps(about), "utf-8")
    old = {"scores.csv": seal["scores.csv"]}
    (finished_copy / "tables.json").write_text(json.dumps(old), "utf-8")
    assert changed_since(finished_copy) == []
    edit(finished_copy / "scores.csv", raise_a_score)
    assert changed_since(finished_copy) == ["scores.csv"]
    (finished_copy / "tables.json").unlink()
    assert changed_since(finished_copy) == []


def test_a_history_of_words_is_refused_by_name_even_if_accepted(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,train_loss\n1,abc814\n")
    with pytest.raises(XaibenchError, match=r"history\.csv: no table of numbers \(.*'abc814'"):
        read_history(tmp_path / "history.csv")
