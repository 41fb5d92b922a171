"""Published tables follow from the scores beside them; nothing heavy or private is published."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from likeness import unlike

from xaibench.core.spec import parse_spec
from xaibench.report.facts.material import read_material
from xaibench.report.judging.chapter import judge_all
from xaibench.report.numbers import number, p_text, span
from xaibench.report.publish import portable
from xaibench.report.study import is_study, rewrite_study
from xaibench.report.write import write_tables
from xaibench.results.tables import read_table, stored_table

PUBLISHED = Path(__file__).parents[1] / "results" / "published"
RUNS = sorted(path.parent for path in PUBLISHED.rglob("run.json")
              if stored_table(path.with_name("scores.csv")).is_file())  # fmt: skip
STUDIES = sorted(path.parent for path in PUBLISHED.rglob("study.json"))
_MOST_BYTES = 30_000_000
_QUICK = 400_000  # bytes of compressed scores that are judged within seconds
_SMALL = 20_000  # and those that are judged at once


def name(folder):
    return folder.relative_to(PUBLISHED).as_posix()


def read(folder, table):
    return read_table(stored_table(folder / f"{table}.csv"))


def test_there_are_results():
    assert RUNS
    assert all((run / "leaderboard.md").is_file() for run in RUNS)


def size_of(run):
    return stored_table(run / "scores.csv").stat().st_size


# One of each study: the others are made alike, and tested with its page.
FIRST = {run.relative_to(PUBLISHED).parts[0]: run for run in RUNS if size_of(run) < _QUICK}


def up_to(most, runs):
    """Mark runs as slow that have more bytes of scores."""
    return [pytest.param(run, marks=pytest.mark.slow if size_of(run) > most else (), id=name(run))
            for run in runs]  # fmt: skip


@pytest.mark.parametrize("run", up_to(4 * _SMALL, RUNS))
def test_the_boards_means_are_those_of_the_scores(run):
    """By pandas alone: nothing of the report takes part."""
    about = json.loads((run / "run.json").read_text("utf-8"))
    board, scores = read(run, "leaderboard"), read(run, "scores")
    means = scores.groupby(["model", "method", "metric"])["value"].agg(["mean", "count"])
    plain = [metric for metric, traits in about["metrics"].items()
             if traits["estimand"] == "per image" and metric in board]  # fmt: skip
    assert plain
    compared = 0
    for row in board.to_dict("records"):
        for metric in plain:
            mean, count = means.loc[row["model"], row["method"], metric]
            shown = float(row[metric] or "nan") if isinstance(row[metric], str) else row[metric]
            np.testing.assert_allclose(shown, mean, rtol=1e-9, atol=1e-12)
            assert int(row[f"{metric}_n"]) == count
            compared += 1
    assert compared >= len(plain)


@pytest.mark.parametrize("run", up_to(_SMALL, FIRST.values()))
def test_all_tables_follow_from_the_scores(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    tables = [copy / table for table in ("leaderboard.csv", "leaderboard.md", "classification.csv",
                                         "decisions.csv", "agreement.csv")]  # fmt: skip
    before = {path: path.read_text("utf-8") for path in tables if path.is_file()}
    for path in before:
        path.unlink()
    write_tables(judge_all(read_material(copy), copy), copy)
    assert [gap for path in before for gap in unlike(path.read_text("utf-8"), before[path])] == []


@pytest.mark.parametrize("page", sorted(PUBLISHED.rglob("*.md")), ids=name)
def test_links_lead_somewhere(page):
    text = page.read_text("utf-8")
    links = re.findall(r"\]\(<([^>]+)>\)|\]\(([^<)\s]+)\)", text)
    targets = [(one or other).partition("#")[0] for one, other in links]
    inside = [target for target in targets if target and "://" not in target]
    assert not [target for target in inside if not (page.parent / target).exists()]


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES, ids=name)
def test_studies_follow_from_their_runs(study, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(study, copy)
    assert is_study(copy)
    before = {copy / path: (copy / path).read_text("utf-8") for path in ("study.csv", "study.md")}
    for path in before:
        path.unlink()
    rewrite_study(copy)
    assert [gap for path in before for gap in unlike(path.read_text("utf-8"), before[path])] == []


def test_a_value_that_was_changed_is_noticed():
    text = (RUNS[0] / "leaderboard.csv").read_text("utf-8")
    number = max(re.findall(r"0\.\d{10}", text))
    for other in (float(number) + 3e-10, number[::-1]):
        assert list(unlike(text, text.replace(number, f"{other}", 1)))
    assert not list(unlike(text, text.replace(number, f"{float(number) + 1e-10:.10f}", 1)))
    assert list(unlike("n = 12", "n = 13"))
    assert list(unlike("ab 0.1", "ac 0.1"))


def test_nothing_heavy_is_published():
    files = [path for path in PUBLISHED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < _MOST_BYTES
    kinds = {".md", ".csv", ".json", ".png", ".jpg", ".svg", ".xz"}
    assert {path.suffix for path in files} <= kinds


@pytest.mark.parametrize("run", RUNS, ids=name)
def test_no_path_of_a_machine_is_published(run):
    about = json.loads((run / "run.json").read_text("utf-8"))
    for told in ("command", "options", "warnings"):
        assert portable(about[told]) == about[told]
    text = (run / "leaderboard.md").read_text("utf-8")
    assert not re.search(r"(?<![\w.])/(home|root|tmp|work|mnt|Users)/", text)


def test_every_published_folder_stands_in_the_readme():
    page = (PUBLISHED / "README.md").read_text("utf-8")
    tops = {path.relative_to(PUBLISHED).parts[0] for path in [*RUNS, *STUDIES]}
    assert {top for top in tops if f"({top}/" not in page} == set()


def test_the_readme_s_p_values_are_those_of_its_boards():
    strange = []
    for section in re.split(r"\n(?=\*\*)", (PUBLISHED / "README.md").read_text("utf-8")):
        folders = [PUBLISHED / folder for folder in re.findall(r"\]\((\w+)/\w+\.md\)", section)]
        known = " ".join(page.read_text("utf-8") for each in folders for page in each.rglob("*.md"))
        known = known.replace("&lt;", "<")
        tests = [read(each, "classification_tests") for each in folders if each in RUNS]
        found = {p_text(p) for test in tests for p in [*test["p"], *test["p_holm"]]}
        for p in re.findall(r"p [=<] [\d.]*\d", " ".join(section.split())):
            if p not in found and p not in known:
                strange.append((p, section[:60]))
    assert not strange


def without_backbone(model):
    """A model's name and options, as a page names it where all have one backbone."""
    name, options = parse_spec(model)
    return name, {key: value for key, value in options.items() if key != "backbone"}


def test_the_readme_s_board_is_the_published_one():
    text = (PUBLISHED.parents[1] / "README.md").read_text("utf-8")
    folder, table = re.findall(r"<!-- board: (\S+) -->\n((?:\|.*\n)+)", text)[0]
    titles, _, *lines = ([cell.strip() for cell in line.split("|")[1:-1]]
                         for line in table.splitlines())  # fmt: skip
    board = read(PUBLISHED.parents[1] / folder, "leaderboard")
    assert len(lines) > 3
    for line in lines:
        method, network = (re.findall("`(.+?)`", cell)[0] for cell in line[:2])
        (row,) = (row for row in board[board["method"] == method].to_dict("records")
                  if without_backbone(row["model"]) == parse_spec(network))  # fmt: skip
        for title, cell in zip(titles[2:], line[2:], strict=True):
            metric = re.findall("`(.+?)`", title)[0]
            ends = span(row[f"{metric}_low"], row[f"{metric}_high"])
            told = number(row[metric]), ends, row[f"{metric}_ties"]
            assert cell == " ".join(filter(None, told))
