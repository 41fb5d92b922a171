import copy
import json
import sys
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from frames import NAN, NET, SAID, metric, predicted, rows_of, run_of, said_of, save, write_board

from xaibench import cli
from xaibench.core.errors import XaibenchError
from xaibench.core.recipe import recipe_of
from xaibench.report.judging.chapter import judge_all
from xaibench.report.merge import merge_runs, write_merged
from xaibench.results.records import ModelEntry
from xaibench.setup.options import TRAINING, RunOptions

VALUES = np.linspace(0.2, 0.6, 12)
LABELS = [0, 1] * 6


def changed(*path, to):
    """A run that differs from `SAID` in one place."""
    run = copy.deepcopy(SAID) | {"options": {"epochs": 5, "weights": "none"}}
    inner = run
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = to
    return run


SAME = changed("command", to="xaibench run busi")


@pytest.fixture
def run(tmp_path):
    def make(name, method="gradcam", *, about=SAME, values=VALUES, seed=0, dataset="busi", **more):
        scores = rows_of(method, "iou", values, seed=seed, dataset=dataset)
        told = {"predictions": predicted(LABELS, LABELS, seed=seed, dataset=dataset)} | more
        return save(tmp_path / name, about | {"dataset": dataset, "seeds": [seed]}, scores, **told)

    return make


def merged(*folders):
    return merge_runs(folders, "xaibench compare")


def test_methods_of_two_runs_stand_on_one_board(run, tmp_path):
    both = merged(run("one"), run("two", "hirescam", values=VALUES - 0.1))
    board = judge_all(both, tmp_path / "out").board.set_index("method")
    assert board["iou"].to_dict() == pytest.approx({"gradcam": 0.4, "hirescam": 0.3})
    assert board["iou_ties"].to_dict() == {"gradcam": "a", "hirescam": "b"}
    assert len(both.predictions) == 12
    assert [source.name for source in both.run.sources] == [
        str(tmp_path / "one"),
        str(tmp_path / "two"),
    ]
    # The protocol is still the same, and so is its hash.
    assert both.run.protocol_hash == SAID["protocol_hash"]


def test_other_seeds_count_as_more_seeds(run):
    both = merged(run("one"), run("two", seed=1, values=VALUES + 0.2))
    assert both.run.seeds == [0, 1]
    assert both.scores["value"].mean() == pytest.approx(0.5)
    assert len(both.predictions) == 24


@pytest.mark.slow
def test_other_datasets_are_other_parts_with_classes_of_their_own(run, tmp_path):
    skin = changed("classes", to=["naevus", "melanoma"]) | {"mask_fraction": 0.5}
    skin["splits"] = {"holdout.csv": "another"}
    skin["protocol"]["groups"] = "a file of its own"
    both = merged(run("one"), run("two", about=skin, dataset="skin"))
    folder = tmp_path / "out"
    write_merged(both, folder)
    board = write_board(folder).board
    assert board["dataset"].tolist() == ["busi", "skin"]
    text = (folder / "leaderboard.md").read_text("utf-8")
    assert "## BUSI, holdout" in text
    assert "## skin, holdout" in text
    slices = pd.read_csv(folder / "slices.csv")
    parts = slices[slices["slice"] == "class"].groupby("dataset")["part"].unique()
    assert list(parts["skin"]) == ["naevus", "melanoma"]
    assert list(parts["busi"]) == ["benign", "malignant"]


def test_equal_cells_are_kept_once_and_other_values_refused(run):
    again = merged(run("one"), run("two"))
    assert len(again.scores) == 12
    other = VALUES.copy()
    other[7] += 0.125
    with pytest.raises(
        XaibenchError,
        match=r"both hold gradcam on resnet18 \(busi, holdout, fold 0, seed 0\), but 1 scores "
        r"differ: iou of s7 is 0.454545 against 0.579545.*other --seeds",
    ):
        merged(run("one"), run("three", values=other))


def test_undefined_in_both_is_equal(run):
    hole = np.where(np.arange(12) == 3, NAN, VALUES)
    assert len(merged(run("one", values=hole), run("two", values=hole)).scores) == 12
    with pytest.raises(XaibenchError, match="iou of s3 is nan against"):
        merged(run("one", values=hole), run("three"))


@pytest.mark.parametrize(
    ("about", "message"),
    [
        (changed("protocol", "image_size", to=224), "image_size: 160 against 224"),
        (changed("protocol", "layer", to="layer3"), "layer: null against layer3"),
        (changed("protocol", "targets", "iou", to="predicted"),
         "class explained for iou: label against predicted"),
        (changed("protocol", "metrics", "iou", to="new"), "the code of iou has changed"),
        (changed("metrics", "iou", "higher_is_better", to=False),
         "higher is better in metric iou: true against false"),
        (changed("classes", to=["benign", "other"]), r'classes of busi: \["benign", "malignant"\]'),
        (changed("splits", "holdout.csv", to="decaf"),
         "splits/holdout.csv of busi: c0ffee against decaf"),
        (changed("methods", "gradcam", "sign", to="abs"), 'method gradcam: .*"relu".*"abs"'),
    ],
)  # fmt: skip
def test_what_differs_is_said(run, about, message):
    with pytest.raises(XaibenchError, match=f"one and .*two can't be compared: .*{message}"):
        merged(run("one"), run("two", "hirescam", about=about))


def test_everything_that_differs_is_said_at_once(run):
    about = changed("protocol", "image_size", to=224)
    about["protocol"]["split"] = "kfold:5"
    about["splits"]["holdout.csv"] = "decaf"  # as it must be
    ending = "split: holdout against kfold:5; image_size: 160 against 224; repeat one run with the"
    with pytest.raises(XaibenchError, match=rf"compared: {ending} other's options\.$"):
        merged(run("one"), run("two", about=about))


def test_checksums_are_shortened_to_what_tells_them_apart(run):
    one, other = (changed("splits", "holdout.csv", to=digit * 64) for digit in "ab")
    with pytest.raises(XaibenchError, match="of busi: aaaaaaaa against bbbbbbbb "):
        merged(run("one", about=one), run("two", about=other))


@pytest.mark.slow
def test_networks_of_one_name_must_be_one_network(run):
    other = predicted(LABELS, [1 - LABELS[0], *LABELS[1:]])
    with pytest.raises(XaibenchError, match="two networks are called resnet18, seed 0: prediction"):
        merged(run("one"), run("two", "hirescam", predictions=other))
    longer = changed("options", "epochs", to=50)
    with pytest.raises(XaibenchError, match="epochs of resnet18: 5 against 50"):
        merged(run("one"), run("two", about=longer, seed=1))
    # The same predictions tell that it is the same network, whatever the options say.
    assert len(merged(run("one"), run("three", about=longer)).scores) == 12
    # Of a network that nobody named there is nothing to tell.
    unknown = predicted(LABELS, LABELS, seed=1).assign(prediction=NAN)
    assert len(merged(run("one"), run("four", about=longer, seed=1, predictions=unknown)).scores)


def test_every_option_of_training_is_part_of_the_recipe():
    in_the_protocol = {"image_size", "mask_resize"}
    recipe = recipe_of(asdict(RunOptions()))
    assert {*TRAINING, "weights", "train_precision"} - {*recipe} == in_the_protocol


def test_no_two_recipes_count_as_seeds(run):
    told = {"augmentation": ["scale"], "optimizer": "sgd", "schedule": "cosine",
            "class_weighting": "balanced", "ema": 0.5}  # fmt: skip
    other = changed("options", to=SAME["options"] | told)
    with pytest.raises(XaibenchError) as said:
        merged(run("one"), run("two", about=other, seed=1))
    assert [name for name in told if f"{name} of resnet18: " not in str(said.value)] == []


def test_metrics_that_only_one_has_are_left_out_and_named(run, tmp_path):
    about = said_of(metrics={"iou": metric(), "pxap": metric()}, options={})
    about["protocol"]["metrics"]["iou"] = SAID["protocol"]["metrics"]["iou"]
    scores = rows_of("hirescam", "iou", VALUES) + rows_of("hirescam", "pxap", VALUES)
    both = merged(run("one"), save(tmp_path / "two", about, scores))
    assert list(both.run.metrics) == ["iou"]
    assert set(both.scores["metric"]) == {"iou"}
    assert list(both.run.protocol["targets"]) == ["iou"]
    first, second = both.run.warnings
    assert first.startswith("left out, as not all runs have them: drop, outside (of ")
    assert "pxap (of " in second
    none = run_of(metrics={"dice": metric()}, options={})
    with pytest.raises(XaibenchError, match="have no metric in common"):
        merged(run("one"), save(tmp_path / "three", none, rows_of("spn", "dice", VALUES)))


def test_groups_of_a_folder_without_predictions_come_from_its_splits(run, tmp_path):
    folder = save(tmp_path / "two", SAME, rows_of("hirescam", "iou", VALUES))
    (folder / "splits").mkdir()
    split = pd.DataFrame({"sample": ["s0", "s1", "s2"], "group": ["pair", "pair", ""]})
    split.to_csv(folder / "splits/holdout.csv", index=False)
    both = merged(run("one"), folder)
    assert both.groups == {("busi", "s0"): "pair", ("busi", "s1"): "pair"}
    board = write_board(folder).board
    assert board["iou_groups"].tolist() == [11]


@pytest.mark.slow
def test_a_comparison_can_be_compared_again(run, tmp_path):
    write_merged(merged(run("one"), run("two", "hirescam")), tmp_path / "both")
    again = merged(tmp_path / "both", run("three", "spn"))
    assert len(again.run.sources) == 3
    assert set(again.scores["method"]) == {"gradcam", "hirescam", "spn"}
    with pytest.raises(XaibenchError, match="epochs of resnet18: 5 against 50"):
        merged(tmp_path / "both", run("four", about=changed("options", "epochs", to=50), seed=1))


def test_a_failed_comparison_leaves_nothing(run, tmp_path):
    both = merged(run("one"), run("two", "hirescam"))
    both = replace(both, run=replace(both.run, methods={}))
    with pytest.raises(XaibenchError, match=r"run\.json doesn't list it"):
        write_merged(both, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def call(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["xaibench", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    return ended.value.code or 0, said.out, said.err


@pytest.mark.slow
def test_the_command_prints_and_writes_the_board(run, tmp_path, monkeypatch, capsys):
    one, two, out = run("one"), run("two", "hirescam"), tmp_path / "out"
    code, printed, _ = call(monkeypatch, capsys, "compare", one, two, "--out", out)
    assert code == 0
    assert "hirescam" in printed
    for name in ("leaderboard.csv", "leaderboard.md", "leaderboard.tex", "slices.csv"):
        assert (out / name).stat().st_size > 0, name
    assert "hirescam" in (out / "report.html").read_text("utf-8")
    sources = json.loads((out / "run.json").read_text("utf-8"))["sources"]
    assert {source["command"] for source in sources} == {"xaibench run busi"}
    board = (out / "leaderboard.csv").read_bytes()
    code, _, _ = call(monkeypatch, capsys, "report", out)
    assert code == 0
    assert (out / "leaderboard.csv").read_bytes() == board


def test_the_command_refuses_with_code_2_and_one_line(run, tmp_path, monkeypatch, capsys):
    one = run("one")
    other = run("two", about=changed("protocol", "image_size", to=224))
    for arguments, message in (
        ((one, other, "--out", tmp_path / "out"), "image_size: 160 against 224"),
        ((one,), "two folders or more"),
        ((one, one), "each once"),
        ((one, tmp_path / "nothing"), "no run.json"),
        ((one, run("three", "spn"), "--out", one), "a run lies there"),
    ):
        code, _, error = call(monkeypatch, capsys, "compare", *arguments)
        assert code == 2
        assert message in error
        assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_versions_and_warnings_of_all_are_kept(run):
    both = merged(
        run("one", about=changed("warnings", to=["odd"])),
        run("two", "spn", about=changed("xaibench", to="1.3.0")),
    )
    assert both.run.models == {NET: ModelEntry()}
    note, odd = both.run.warnings
    assert note == "the runs were made by xaibench 1.2.3 and 1.3.0"
    assert odd.endswith("one: odd")
