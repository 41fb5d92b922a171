"""``xaibench metrics``: every number carries its definition."""

import re
from pathlib import Path

import pytest

from xaibench.core.bibliography import keys_of, reference_of
from xaibench.core.definition import define
from xaibench.core.registry import _loaded_files, _plugins, bind, load_plugin_file, plugins

BIBLIOGRAPHY = Path(__file__).parent.parent / "references.bib"
ENTRIES = [
    "measures", "value", "notes", "direction", "bounds", "board", "ranked", "estimand", "target",
    "normalization", "resize", "mask rule", "threshold source", "tie rule", "covering", "baseline",
    "needs", "options", "paper",
]  # fmt: skip
METRICS = plugins("metric")
OWN = '''
"""Own."""

from torch import Tensor

import xaibench


@xaibench.metric(higher_is_better=True, family="faithfulness", paper="mueller2001")
def own(maps: Tensor, images: Tensor, *, baseline: str = "snow") -> Tensor:
    """Return the mean."""
    return maps.mean(dim=(1, 2))
'''
BIBTEX = """@article{mueller2001,
  title = {On
    {X}-rays},
  author = {M{\\"u}ller, Ida and Fran{\\c{c}}ois Le Roi},
  journal = "Zeitschrift",
  year = 2001,
}
"""


@pytest.fixture
def call(call):
    """`xaibench metrics` as a user calls it."""
    return lambda *arguments: call("metrics", *arguments)


@pytest.fixture
def own_file(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN, "utf-8")
    (tmp_path / "references.bib").write_text(BIBTEX, "utf-8")
    yield path
    _loaded_files.discard(path.resolve())
    _plugins["metric"].pop("own", None)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_defines_itself_fully(name):
    metric = bind("metric", name)
    entries = define(metric)
    assert list(entries) == ENTRIES
    assert all(entries.values())
    traits, words = metric.plugin.traits, metric.plugin.signature.words
    assert entries["measures"].endswith(".")
    assert not entries["value"].startswith("Return")
    assert ">>>" not in entries["notes"]
    assert (entries["mask rule"] == "not asked for") == ("masks" not in words)
    if traits.family == "faithfulness":
        own = "the true class" if traits.target == "label" else "the predicted class"
        assert entries["target"].startswith(own)
        asks = {"predict", "respond", "explain", "covered_confidence"} & set(words)
        assert entries["covering"].startswith("in pixel space" if asks else "none")
        assert entries["baseline"] != "none"
        assert entries["tie rule"] != "none"
    if traits.family == "localization":
        assert entries["target"].startswith("the true class")
        assert entries["covering"] == entries["baseline"] == "none"
        assert traits.counted == "any" or "undefined: NaN" in entries["mask rule"]
        assert "masks nearest; under --score-at original" in entries["resize"]
    if "threshold" in metric.plugin.signature.options:
        assert entries["threshold source"] != "none"
    for option in metric.plugin.signature.options:
        assert re.search(rf"^{option}=", entries["options"], re.MULTILINE)
    if metric.plugin.paper:
        reference = rf"\S.* \d{{4}}\. .+\. .+ \[{metric.plugin.paper}\]"
        assert re.fullmatch(reference, entries["paper"])


def test_options_turn_the_definition():
    plain, turned = (
        define(bind("metric", f"drop_in_confidence{options}"))
        for options in ("", "[covered=important,baseline=blur]")
    )
    assert (plain["direction"], turned["direction"]) == ("lower is better", "higher is better")
    assert plain["baseline"] == "black: zero in each channel"
    assert turned["baseline"].startswith("blur: ")
    assert "covered=important: " in turned["options"]
    assert define(bind("metric", "iou[threshold=0.3]"))["options"].startswith("threshold=0.3")


def test_estimands_oracles_and_targets_are_told_apart():
    assert define(bind("metric", "average_precision"))["estimand"].startswith("per image")
    assert define(bind("metric", "pxap"))["estimand"].startswith("pooled")
    assert define(bind("metric", "iou_best"))["ranked"].startswith("never")
    assert define(bind("metric", "iou"))["ranked"] == "yes"
    assert define(bind("metric", "iou"), "predicted")["target"] == "the predicted class"
    assert define(bind("metric", "false_alarm_mass"))["mask rule"].startswith("empty")


def test_every_entry_of_the_bibliography_can_be_quoted():
    for key in keys_of(BIBLIOGRAPHY):
        entry = re.search(
            rf"^@\w+\{{{key},(.*?)^\}}", BIBLIOGRAPHY.read_text("utf-8"), re.DOTALL | re.MULTILINE
        )
        assert entry
        assert {"title", "author", "year"} <= set(re.findall(r"^\s*(\w+)\s*=", entry[1], re.M))


def test_a_reference_is_one_plain_line():
    reference = reference_of(METRICS["deletion"])
    assert reference == (
        "Petsiuk, Das and Saenko 2018. RISE: Randomized Input Sampling for Explanation of "
        "Black-box Models. BMVC [petsiuk2018rise]"
    )


def test_an_own_metric_quotes_the_bibliography_beside_it(call, own_file):
    code, out, _ = call("own", "--plugin", own_file)
    assert code == 0
    assert re.search(r"baseline +snow\n", out)
    quoted = " ".join(out.partition("  paper")[2].split())
    assert quoted == "Müller and Roi 2001. On X-rays. Zeitschrift [mueller2001]"
    (own_file.parent / "references.bib").write_text("", "utf-8")
    load_plugin_file(own_file)
    assert reference_of(plugins("metric")["own"]) == "mueller2001"


def test_without_a_name_all_are_shown_with_direction_by_board(call):
    code, out, _ = call()
    assert code == 0
    shown = re.findall(r"^  (\w+) +([↑↓]) (.+)$", out, re.MULTILINE)
    assert sorted(name for name, *_ in shown) == list(METRICS)
    for name, arrow, summary in shown:
        assert arrow == ("↑" if bind("metric", name).higher_is_better else "↓")
        assert summary == METRICS[name].summary
    assert re.findall(r"^\w+$", out, re.MULTILINE) == ["localization", "faithfulness", "complexity"]


def test_a_definition_is_laid_out_under_its_name(call):
    code, out, _ = call("iou[threshold=0.3]")
    assert code == 0
    head, *lines = out.splitlines()
    assert head == "iou[threshold=0.3]"
    assert [line[2:19].strip() for line in lines if line[2] != " "] == ENTRIES
    assert all(len(line) <= 100 for line in lines)
    # What is too long for a line goes on beneath its beginning.
    assert {len(line) - len(line.lstrip()) for line in lines if line[2] == " "} == {20}


@pytest.mark.parametrize(
    ("name", "hint"),
    [("delition", "did you mean 'deletion'?"), ("iou[treshold=0.3]", "did you mean 'threshold'?"),
     ("iou[threshold", "name[option=value"), ("deletion[baseline=blck]", "black, mean, blur")],
)  # fmt: skip
def test_an_unknown_name_is_one_line_with_a_hint(call, name, hint):
    code, out, err = call(name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ")
    assert hint in err
