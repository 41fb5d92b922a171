"""The generated pages: fresh, whole, and true of a real run."""

import doctest
import re
import sys
from pathlib import Path

import pandas as pd
import pytest

from xaibench.cli import cli
from xaibench.core.contract import KINDS, VOCABULARY, plural
from xaibench.core.registry import plugins

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs" / "generator"))

import docstrings  # noqa: E402
from all_pages import make_pages, stale_pages  # noqa: E402
from house_imports import needed, parts_of  # noqa: E402
from house_picture import house_picture  # noqa: E402
from house_plan import ROOMS  # noqa: E402
from left_files import ANYWHERE, COLUMNS, FILES  # noqa: E402


@pytest.fixture(scope="module")
def pages():
    return make_pages()


@pytest.mark.slow
def test_the_generated_pages_are_fresh(pages):
    assert not stale_pages(ROOT / "docs", pages), "run `python docs/generator`"


def test_a_changed_or_missing_page_is_stale(tmp_path):
    (tmp_path / "a.md").write_text("now")
    assert stale_pages(tmp_path, {"a.md": "now", "b.md": ""}) == ["b.md"]
    assert stale_pages(tmp_path, {"a.md": "then"}) == ["a.md"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_plugin_and_every_option_has_its_place(kind, pages):
    page = pages[f"reference/{plural(kind)}.md"]
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", page, re.M | re.S))
    known = {**plugins(kind), **plugins(kind, families=True)}
    assert set(sections) == set(known)
    for name, plugin in known.items():
        for option in plugin.signature.options:
            assert f"`{option}`" in sections[name] or f"`{option}=" in sections[name]
        if plugin.paper:
            assert f"[{plugin.paper}]" in sections[name]


def test_the_examples_of_the_generator_hold():
    assert doctest.testmod(docstrings) == (0, 2)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "metric"])
def test_a_docstring_explains_every_option(kind):
    for name, plugin in plugins(kind).items():
        silent = set(plugin.signature.options) - set(docstrings.read_plugin(plugin).options)
        assert not silent, name


def test_every_command_with_every_option_has_its_place(pages):
    page = pages["reference/cli.md"]
    sections = dict(re.findall(r"^### (\S+)\n(.*?)(?=^##|\Z)", page, re.M | re.S))
    commands = cli.load_all()
    assert set(sections) == set(commands)
    for name, command in commands.items():
        for param in command.params:
            if param.param_type_name == "option":
                assert param.opts[0] in sections[name]
    assert "| `--mask-fraction FLOAT` | `0.25` |" in sections["run"]


def test_every_word_has_its_place(pages):
    page = pages["reference/vocabulary.md"]
    for words in VOCABULARY.values():
        for word in words:
            assert f"| `{word}` |" in page


@pytest.mark.slow
def test_a_layer_above_what_it_imports_is_drawn_by_arrows_that_point_down(pages):
    picture = pages["house.svg"]
    drawn = re.findall(r'<path d="M\d+ (\d+)[VC][^"]*?(\d+)"/>', picture)
    assert len(drawn) >= len(ROOMS)
    assert all(int(above) < int(below) for above, below in drawn)
    names = re.findall(r">(\w+)</text>", picture)
    assert set(ROOMS) <= set(names)
    assert parts_of("report")[0] == ["page"]
    assert parts_of("report")[-1] == ["facts"]


def test_an_arrow_that_others_make_plain_is_left_out():
    imports = {"a": {"b", "c", "d"}, "b": {"c"}, "c": {"d"}, "d": set()}
    assert needed(imports) == [("a", "b"), ("b", "c"), ("c", "d")]


def test_an_import_upwards_is_no_picture(monkeypatch):
    monkeypatch.setattr("house_picture.imports_of_layers", lambda: {"core": {"running"}})
    with pytest.raises(ValueError, match="core imports running, which is no lower"):
        house_picture()


METRICS = ["iou", "iou_tuned"]
SEVERAL_LABELS = "per_class.csv"  # there where classification.csv isn't


def as_pattern(name):
    """METRIC is one of the run's, a last K a number; other words in capitals are anything."""
    pattern = re.escape(name).replace("METRIC", f"({'|'.join(METRICS)})")
    pattern = re.sub(r"K$", r"\\d+", pattern)
    return re.sub(r"[A-Z]{3,}", ".+", pattern)


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """A run that leaves as much as a run can."""
    import xaibench  # noqa: PLC0415

    out = tmp_path_factory.mktemp("left") / "run"
    done = xaibench.run(
        dataset="phantom[images=40]", weights="none", image_size=48, epochs=1, out=out,
        models=["small_vgg[filters=4-4-6-6]", "small_resnet"], methods=["gradcam", "gradient"],
        metrics=METRICS, analyses=["pca", "knn"], seeds=[0, 1],
        mask_fraction=1.0,
    )  # fmt: skip
    assert not done.failures
    return out


@pytest.mark.slow
def test_a_run_leaves_no_file_that_the_page_does_not_name(left):
    patterns = [as_pattern(name) for name in FILES]
    names = [path.relative_to(left).as_posix() for path in left.rglob("*") if path.is_file()]
    assert len(names) > 40
    strange = [n for n in names if not any(re.fullmatch(each, n) for each in patterns)]
    assert not strange
    absent = [each for each in patterns if not any(re.fullmatch(each, n) for n in names)]
    assert absent == [as_pattern(SEVERAL_LABELS)]


@pytest.mark.slow
def test_a_table_has_the_columns_that_the_page_names(left):
    for name in COLUMNS.keys() - {SEVERAL_LABELS}:
        columns = COLUMNS[name]
        (path, *_) = [
            path
            for path in left.rglob("*.csv")
            if re.fullmatch(as_pattern(name), path.relative_to(left).as_posix())
        ]
        found = list(pd.read_csv(path, nrows=1).columns)
        patterns = [as_pattern(column) for column in [*columns, *ANYWHERE]]
        assert not [c for c in found if not any(re.fullmatch(each, c) for each in patterns)], name
        # One fold and one seed say nothing of new training sets.
        own = [as_pattern(each) for each in columns if not each.endswith("_training_sets")]
        assert not [each for each in own if not any(re.fullmatch(each, c) for c in found)], name
