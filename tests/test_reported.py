"""The table of reported figures: complete, computed, repeatable, and its page fresh."""

import re
import runpy

import numpy as np
import pytest
from click.testing import CliRunner
from reported_runs import (
    PUBLISHED,
    ROOT,
    TOOL,
    Kind,
    as_csv,
    canonical,
    command_of,
    entry_of,
    find_runs,
    judge,
    leave_board,
    make_run,
    read_entries,
    write_page,
)

from xaibench.core.bibliography import keys_of
from xaibench.core.errors import XaibenchError
from xaibench.report.judging.classifier_rates import figures
from xaibench.setup.options import make_options
from xaibench.setup.suite import read_suite

ENTRIES = {entry.id: entry for entry in read_entries(PUBLISHED / "reported.csv")}
# Each figure of the five reports, by system, typed from them and not from the table.
PRINTED = {
    "1": "0.9000 0.9286 0.8667 0.9333 0.8966 0.8999 0.9667 1.0000 0.9333 1.0000 0.9655 0.9666",
    "2": "≈80 ≈0.5 103010 102498",
    "3": "96.03 96.02 96.03 95.90 95.24 95.65 95.24 94.87 94.44 94.99 94.44 93.92 95.28 95.25 "
    "95.28 95.10 1.77 2.24 2.09 1.95 1.79 2.25 2.01 1.98 1.69 2.26 1.79 1.88",
    "4": "0.0921 0.9797 0.0798 0.9812 0.0144 0.9955 0.9872 0.9914 0.9918 0.9943 0.9941 ≈0.78",
    "5": "98 85 90 81 ≈70",
    "papers": "69.6 42.4 90.4 82.3 27.8 19.5 63.7 56.7 63.0 59.7 82.4 0 0.23 0.024 0.224 0.404",
    "protocol": "9.4 26.1 0.220 0.385",
}


def textbook_wilson(rate, n):
    """Solve (p - rate)^2 = z^2 p (1 - p) / n for p, where Wilson's interval ends."""
    z2 = 1.959963984540054**2
    return np.sort(np.roots([1 + z2 / n, -(2 * rate + z2 / n), rate**2]).real)


@pytest.mark.parametrize("system", PRINTED)
def test_every_figure_of_the_reports_has_its_row(system):
    rows = [e.reported for e in ENTRIES.values() if e.system == system and e.reported]
    assert rows == PRINTED[system].split()


def test_nothing_is_without_a_command():
    for entry in ENTRIES.values():
        assert entry.system == "papers" or command_of(entry).startswith("xaibench "), entry.id
        if entry.table == "test":
            assert (ROOT / entry.column).is_file()


def test_papers_similar_the_bibliography():
    known = keys_of(ROOT / "references.bib")
    assert {e.source for e in ENTRIES.values() if e.system == "papers"} <= set(known)


@pytest.mark.parametrize(
    ("name", "matrix"),
    [("1-baseline", [[13, 2], [1, 14]]), ("1-saliency-aware", [[14, 1], [0, 15]])],
)
def test_confusion_matrices_became_the_protocol_s_figures(name, matrix):
    found = figures(np.array(matrix), positive=0)
    for metric in ("accuracy", "precision", "recall", "specificity", "f1", "macro_f1"):
        entry = ENTRIES[f"{name}-{metric.replace('_', '-')}"]
        assert float(entry.reported) == pytest.approx(found[metric], abs=5e-5)
        if entry.cases:
            ends = found[f"{metric}_low"], found[f"{metric}_high"]
            assert tuple(entry.span) == pytest.approx(ends, abs=1e-3)


def test_intervals_are_wilson_s():
    rates = [entry for entry in ENTRIES.values() if entry.cases]
    assert len(rates) == 25
    for entry in rates:
        expected = entry.scale * textbook_wilson(entry.value / entry.scale, int(entry.cases))
        assert tuple(entry.span) == pytest.approx(tuple(expected), abs=0.005 * entry.scale / 50)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("3-densenet201-accuracy", "121/126"),
        ("3-googlenet-recall", "120/126"),
        ("3-mobilenet-v2-accuracy", "119/126"),
        ("3-resnet101-accuracy", "no k/126 gives 95.28; 120: 95.24, 121: 96.03"),
        ("1-saliency-aware-recall", "14/15"),
        ("4-small-vgg-accuracy", "9955/10000"),
        ("2-accuracy", ""),  # "about" leaves hundreds of counts open
        ("3-resnet101-f1", ""),  # no rate
    ],
)
def test_whether_a_count_gives_the_printed_rate(name, said):
    assert ENTRIES[name].attainable == said


def test_the_committed_page_and_table_are_fresh():
    entries, runs = list(ENTRIES.values()), find_runs([PUBLISHED])
    page = write_page(entries, [judge(entry, runs) for entry in entries])
    assert page == (PUBLISHED / "reported.md").read_text("utf-8"), "run python benchmarks/reported"
    assert as_csv(entries) == (PUBLISHED / "reported.csv").read_text("utf-8")


@pytest.mark.parametrize("place", sorted({(e.suite, e.part) for e in ENTRIES.values() if e.suite}))
def test_suites_are_set_up_as_the_reports_say(place, tmp_path):
    [part] = read_suite(ROOT / "benchmarks" / f"{place[0]}.toml", part=place[1])
    options = make_options(part.options, {}).as_dict()
    run = make_run(tmp_path, suite=dict(part.origin), options=options)
    for entry in ENTRIES.values():
        if (entry.suite, entry.part) != place or entry.table in ("", "test"):
            continue
        models = [canonical("model", spec) for spec in options["models"]]
        assert canonical("model", entry.model) in models
        chosen = {"", "center", "random", "average_mask", *options["methods"], *options["analyses"]}
        assert entry.method in chosen
        assert entry.table != "leaderboard.csv" or entry.column in options["metrics"]
        # Whatever table the entry has, its setting is compared in the same way.
        found = entry._replace(table="leaderboard.csv", method="gradcam", images="")
        leave_board(run, found, 0.5)
        judged = judge(found, find_runs([run]))
        assert judged.kind is not Kind.OTHER_SETTING, judged.why


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reported": "ca. 80"}, "line 2: reported 'ca. 80' is no number; write it as printed"),
        ({"reported": "1.2", "cases": "30"}, "line 2: 'cases' needs a rate of 0 to 1, not '1.2'"),
        ({"cases": "30"}, "line 2: 'cases' needs a rate of 0 to 1, not ''"),
        ({"images": "0"}, "line 2: images '0' is no number of images"),
        ({"unit": "percent"}, "line 2: unit 'percent'; choose one of %, 0-3"),
        ({"system": "6"}, "line 2: system '6'; choose one of 1, 2,"),
        ({"suite": ""}, "line 2: 'suite' is empty; each row of a system names the suite"),
        ({"column": ""}, "line 2: 'table' and 'column' go together"),
        ({"reason": ""}, "line 2: 'reason' is empty; say why"),
        ({"metric": ""}, "line 2: 'metric' is empty; fill it in"),
        ({"options": "weights imagenet"}, "line 2: options 'weights'; write name=value"),
    ],
)
def test_a_malformed_row_is_told_by_its_line(tmp_path, changed, said):
    path = tmp_path / "reported.csv"
    path.write_text(as_csv([entry_of(**changed)]), "utf-8")
    with pytest.raises(XaibenchError, match=re.escape(f"{path}, {said}")):
        read_entries(path)


def test_other_damage_is_told_by_its_line_too(tmp_path):
    path = tmp_path / "reported.csv"
    with pytest.raises(XaibenchError, match="no such file; name the folder"):
        read_entries(path)
    whole = as_csv([entry_of(), entry_of(id="f")])
    path.write_text(whole + "g,1,net\n", "utf-8")
    with pytest.raises(XaibenchError, match="line 4: 3 cells instead of 25; quote"):
        read_entries(path)
    path.write_text(whole + whole.splitlines()[1] + "\n", "utf-8")
    with pytest.raises(XaibenchError, match="line 4: id 'e' is there twice"):
        read_entries(path)
    path.write_text(whole.replace("metric", "measure", 1), "utf-8")
    with pytest.raises(XaibenchError, match="line 1: the columns must be id, system, item"):
        read_entries(path)


def test_the_tool_writes_the_page_and_tells_mistakes_in_one_line(tmp_path):
    (tmp_path / "reported.csv").write_text(
        as_csv([entry_of(reported="90.0", unit="%", cases="30")]), "utf-8"
    )
    main = runpy.run_path(str(TOOL / "__main__.py"), run_name="reported")["main"]
    done = CliRunner().invoke(main, ["--published", str(tmp_path)])
    assert done.output == f"written to {tmp_path}: reported.md, reported.csv\n"
    page = (tmp_path / "reported.md").read_text("utf-8")
    assert "| accuracy | net | ? | 90.0 % (27/30) [74.38, 96.54] | — | not run | s |" in page
    assert "- Not run (s): data needs an account.\n" in page
    assert "\nxaibench run --suite benchmarks/s.toml\n" in page
    assert ",90.0,30,74.38,96.54,27/30," in (tmp_path / "reported.csv").read_text("utf-8")
    failed = CliRunner().invoke(main, ["--published", str(tmp_path), "absent"])
    assert failed.exit_code == 1
    assert failed.output == "Error: absent: no such folder; name the --out folder of a run.\n"
