import json
import re
import subprocess
import sys
from dataclasses import fields

import pytest
import torch

from xaibench import cli
from xaibench.commands import help, listed
from xaibench.commands.table import COMMANDS
from xaibench.core import registry
from xaibench.core.contract import KINDS
from xaibench.setup.options import RunOptions

PLUGINS = '''
"""Return what a broken method cannot."""

from torch import Tensor, nn

import xaibench


@xaibench.model()
def thimble(classes: int, weights: str) -> xaibench.Classifier:
    """Build one convolution."""
    layers = [nn.Conv2d(3, 4, 3, stride=4), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return xaibench.Classifier(nn.Sequential(*layers, nn.Linear(4, classes)), cam_layer="0")


@xaibench.method()
def broken(images: Tensor, *, power: float = 2.0) -> Tensor:
    """Raise."""
    raise RuntimeError("no map today")


@xaibench.metric(higher_is_better=True)
def spread(maps: Tensor) -> Tensor:
    """Return the mean."""
    return maps.mean(dim=(1, 2))


@xaibench.dataset()
def void() -> xaibench.Dataset:
    """Hold nothing."""
    return xaibench.Dataset(("a", "b"), ())
'''
TINY = (
    *("run", "--dataset", "phantom[images=40]", "--models", "thimble", "--metrics", "iou"),
    *("--epochs", "1", "--image-size", "32", "--weights", "none", "--device", "cpu"),
)


@pytest.fixture
def plugin_file(tmp_path):
    path = tmp_path / "thimble_plugins.py"
    path.write_text(PLUGINS, "utf-8")
    yield path
    registry._loaded_files.discard(path.resolve())
    for known in registry._plugins.values():
        for name in [name for name, plugin in known.items() if plugin.file == path]:
            del known[name]


def in_a_shell(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "xaibench", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def assert_refused(result, *parts):
    code, _, err = result
    assert code == 2
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("error: ")
    for part in parts:
        assert part in lines[0]


def test_help_does_not_wait_for_torch():
    code = (
        "import sys; from xaibench.cli import cli; "
        "asked = ['--help'], ['run', '--help'], ['list']; "
        "[cli(words, standalone_mode=False) for words in asked]; "
        "assert not {'torch', 'pandas', 'matplotlib'} & set(sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for option in ("--mask-fraction", "--train-batch-size", "--no-controls", "--dry-run"):
        assert option in ended.stdout
    assert "gradcam_pp" in ended.stdout


def test_the_table_of_commands_says_what_their_help_says():
    for name, command in cli.cli.load_all().items():
        assert command.name == name
        assert command.help.splitlines()[0] == COMMANDS[name].what


def test_a_list_that_is_known_is_what_importing_gives(monkeypatch, tmp_path):
    for kind in KINDS:
        known = listed.recall_listed(kind)
        assert known, "run `python docs/generator`"
        assert set(known) <= set(listed.register_listed(kind)), kind
    stored = json.loads(listed._INDEX.read_text("utf-8"))
    stored["metric"]["heads"][0][1] += 1
    (tmp_path / "listed.json").write_text(json.dumps(stored))
    monkeypatch.setattr(listed, "_INDEX", tmp_path / "listed.json")
    assert listed.recall_listed("metric") is None
    assert listed.recall_listed("method")


def test_every_command_has_help(call):
    for name, command in cli.cli.load_all().items():
        code, out, _ = call(name, "--help")
        assert code == 0
        assert f"xaibench {name} " in out
        assert command.help.splitlines()[0] in " ".join(out.split())


@pytest.mark.parametrize(
    ("kind", "own", "ours"),
    [("datasets", "void", "phantom"), ("models", "thimble", "saliency_net"),
     ("methods", "broken", "gradcam"), ("metrics", "spread", "iou")],
)  # fmt: skip
def test_list_shows_what_is_built_in_and_what_a_file_adds(call, plugin_file, kind, own, ours):
    code, out, _ = call("list", kind, "--plugin", plugin_file)
    assert code == 0
    names = re.findall(r"^  (\w+) ", out, re.MULTILINE)
    assert {own, ours} <= set(names)
    code, out, _ = call("list", "--plugin", plugin_file)
    assert set(names) < set(re.findall(r"^  (\w+) ", out, re.MULTILINE))


def test_list_shows_options_with_their_defaults(call, plugin_file):
    assert "[power=2.0]" in call("list", "methods", "--plugin", plugin_file)[1]
    assert "backbone=resnet50" in call("list", "models")[1]


@pytest.mark.parametrize(
    ("option", "value", "hint"),
    [
        ("--dataset", "fantom", "did you mean 'phantom'?"),
        ("--methods", "gradcam,gradcan", "did you mean 'gradcam'?"),
        ("--models", "resnet51", "did you mean 'resnet50'?"),
        ("--metrics", "hitrate", "did you mean 'hit_rate'?"),
        ("--models", "saliency_net[bakbone=resnet18]", "did you mean 'backbone'?"),
        ("--models", "saliency_net[backbone=resnet19]", "did you mean 'resnet18'?"),
        ("--models", "saliency_net[backbone=resnet18", "name[option=value"),
        ("--metrics", "iou[threshold=high]", "not a number"),
        ("--dataset", "phantom[images=3]", "needs at least 4 images"),
        ("--dataset", "folder", "folder"),
        ("--split", "kfold:999", "more images or fewer folds"),
        ("--limit", "-3", "--limit -3: at least 0"),
        ("--limit", "4", "a small --limit or per_class leaves too few"),
        (
            "--augmentation",
            "none,crop",
            "--augmentation none,crop: 'none' can't be combined with others",
        ),
        ("--augmentation", "flip", "there is no 'flip'"),
        ("--schedule", "step:7", "--schedule step:7: write constant"),
        ("--train-fraction", "0", "something must be left to learn from"),
        ("--methods", "", "--methods: name at least one"),
        ("--weights", "absent.pth", "--weights absent.pth: no such file"),
        ("--suite", "absent.toml", "--suite absent.toml: no such file"),
        ("--plugin", "absent.py", "--plugin absent.py: no such file"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(call, tmp_path, option, value, hint):
    assert_refused(call("run", "--out", tmp_path / "out", option, value), hint)
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused_before_any_work(call, tmp_path):
    out = tmp_path / "out"
    assert_refused(call("run", "--device", "cuda", "--out", out), "no CUDA device", "--device cpu")
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "hint"),
    [("x = 1\n", "it declares nothing"), ("1 / 0\n", "ZeroDivisionError"),
     ("import xaibench\n@xaibench.method()\ndef m(imges): ...\n", "did you mean 'images'?")],
)  # fmt: skip
def test_a_broken_plugin_file_is_refused(call, tmp_path, text, hint):
    path = tmp_path / "own.py"
    path.write_text(text, "utf-8")
    assert_refused(call("run", "--plugin", path), str(path), hint)


def test_a_weights_file_that_holds_no_weights_is_refused(call, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"no weights")
    out = tmp_path / "out"
    result = call("run", "--models", "squeezenet1_1", "--methods", "gradcam", "--weights", path,
                  "--device", "cpu", "--out", out)  # fmt: skip
    code, _, err = result
    assert code == 2
    assert err.splitlines()[-1].startswith(f"error: --weights {path}: refused, it is")
    assert "Traceback" not in err


def test_an_output_folder_that_is_a_file_is_refused(call, tmp_path, plugin_file):
    path = tmp_path / "file"
    path.touch()
    code, _, err = call(*TINY, "--plugin", plugin_file, "--methods", "gradcam", "--out", path)
    assert (code, err.count("\n")) == (2, 1)
    assert "choose --out" in err


def test_a_dry_run_prints_the_plan_and_writes_nothing(call, tmp_path, plugin_file):
    out = tmp_path / "out"
    code, printed, _ = call(
        *TINY, "--plugin", plugin_file, "--methods", "gradcam,broken", "--dry-run", "--out", out,
        "--seeds", "0,1", "--mask-fraction", "0",
    )  # fmt: skip
    assert code == 0
    assert not out.exists()
    assert re.search(
        r"^cells \(methods on trained models\): 16, of which 0 done; models to train: 2$",
        printed,
        re.MULTILINE,
    )
    for seed in (0, 1):
        assert re.search(rf"thimble, fold 0, seed {seed}: gradcam, broken, ", printed)
    assert "skipped: average_mask on thimble: no training mask may be seen" in printed
    assert re.search(r"^estimated time: \S+", printed, re.MULTILINE)


def test_report_on_another_folder_is_refused(call, tmp_path):
    assert_refused(call("report", tmp_path), "no run.json")
    assert_refused(call("report", tmp_path / "absent"), "no run.json")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "binary").mkdir()
    (tmp_path / "binary" / "run.json").touch()
    told = f"no run.json; name one of the runs in it: {tmp_path / 'binary'}."
    assert_refused(call("report", tmp_path), told)


def test_fetching_an_edition_is_refused_before_another_one_comes(call):
    assert_refused(call("fetch", "busi[per_class=5]"), "name the dataset alone, busi")


def test_fetching_what_needs_no_download_is_refused(call):
    assert_refused(call("fetch", "phantom"), "dataset phantom needs no download")
    assert_refused(call("fetch", "fantom"), "did you mean 'phantom'?")


def test_fetching_what_nobody_may_download_says_where_to_get_it(call, tmp_path):
    for name, address in (("dogs_vs_cats", "kaggle.com"), ("skin_hfus", "doi.org")):
        assert_refused(call("fetch", name, "--data-root", tmp_path), address)


@pytest.mark.slow
def test_failed_cells_end_with_code_3_and_the_rest_is_reported_and_again(
    call, plugin_file, tmp_path
):
    out = tmp_path / "out"
    arguments = (*TINY, "--plugin", plugin_file, "--methods", "gradcam,broken", "--out", out)
    code, printed, err = call(*arguments)
    assert code == 3
    assert "gradcam" in printed
    failure = "failed: broken on thimble, fold 0, seed 0: RuntimeError('no map today')"
    assert failure in err.splitlines()
    assert "Traceback" not in err
    assert "gradcam" in (out / "leaderboard.md").read_text("utf-8")
    assert "broken" not in (out / "scores.csv").read_text("utf-8")
    board = (out / "leaderboard.csv").read_bytes()
    for name in ("leaderboard.csv", "leaderboard.md", "classification.csv", "grid.png"):
        (out / name).unlink()
    code, printed, _ = call("report", out)
    assert code == 0
    assert "thimble" in printed
    assert (out / "leaderboard.csv").read_bytes() == board
    assert (out / "grid.png").stat().st_size > 0


@pytest.mark.slow
def test_a_real_process_ends_with_code_2_and_no_traceback(tmp_path):
    ended = in_a_shell("run", "--methods", "gradcan", cwd=tmp_path)
    assert_refused((ended.returncode, ended.stdout, ended.stderr), "did you mean 'gradcam'?")
    assert list(tmp_path.iterdir()) == []


def test_each_option_of_a_run_has_one_group_in_its_help():
    grouped = [name for names in help.RUN_GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(item.name for item in fields(RunOptions))


def test_help_opens_with_two_examples_that_name_real_options():
    for name, command in cli.cli.load_all().items():
        assert len(command.examples) == 2, name
        known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
        for example in command.examples:
            told = {word for word in example.split() if word.startswith("--")}
            assert f"xaibench {name}" in example
            assert told <= known, example


def test_help_shows_defaults_in_groups(call):
    _, out, _ = call("run", "--help")
    training = out.split("\nTraining:\n")[1].split("\n\n")[0]
    assert "[default: 30]" in " ".join(training.split())
    assert out.index("Examples:") < out.index("Data:") < out.index("Output:")
