import logging

import pandas as pd
import pytest

import xaibench
from xaibench.callbacks.callback import BoardWritten, CellEnd, EpochEnd, RunEnd, RunStart
from xaibench.callbacks.find import make_callbacks
from xaibench.core.errors import XaibenchError
from xaibench.running.plan import make_plan
from xaibench.running.run import run_plan
from xaibench.setup.options import make_options
from xaibench.setup.selection import select


class Listener(xaibench.Callback):
    """Keeps all that it is told."""

    def __init__(self):
        self.events = []

    def on_run_start(self, event):
        self.events.append(event)

    on_epoch_end = on_cell_end = on_board = on_run_end = on_run_start

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


class Broken(Listener):
    """Fails at its second event."""

    def on_epoch_end(self, event):
        super().on_run_start(event)
        raise ValueError("no disk")


def check_events(events, out):
    """Compare what was told with the files that the run left."""
    epochs, cells = events.of(EpochEnd), events.of(CellEnd)
    assert {epoch.model for epoch in epochs} == {cell.model for cell in cells}
    for model in {epoch.model for epoch in epochs}:
        folder = out / "models" / "phantom-images=48" / model.fold_name / model.model
        history = pd.read_csv(folder / f"seed{model.seed}" / "history.csv")
        told = [{"epoch": e.epoch, **e.values} for e in epochs if e.model == model]
        assert told == history.to_dict("records")
    found = {
        (cell.model.fold, cell.model.model, cell.method, metric): mean
        for cell in cells
        for metric, mean in cell.scores.items()
    }
    scores = xaibench.load_scores(out)
    means = scores.groupby(["fold", "model", "method", "metric"])["value"].mean().to_dict()
    assert found == pytest.approx(means, nan_ok=True)
    assert all(cell.costs["seconds_per_image"] > 0 for cell in cells if cell.scores)


def run_told(given, out, *callbacks):
    """Everything but the report; return what failed."""
    selection = select({**given, "out": str(out)})
    with make_callbacks([], callbacks) as told:
        return run_plan(selection, make_plan(selection), "a test", callbacks=told).failures


@pytest.fixture(scope="module")
def told(settings, tmp_path_factory):
    """A run of two folds, told to a listener and to a callback that fails."""
    listener, broken = Listener(), Broken()
    given = {**settings, "seeds": (0,), "models": ("pocket",), "methods": ("gradcam", "flaky"),
             "controls": False}  # fmt: skip
    out = tmp_path_factory.mktemp("told") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLAKY", "raise")
        return out, listener, broken, run_told(given, out, broken, listener)


def test_epochs_and_cells_are_told_as_the_files_say(told):
    out, listener, _, _ = told
    check_events(listener, out)
    start, *between, end = listener.events
    assert (start.out, start.command, start.options["epochs"]) == (out, "a test", 2)
    assert [type(event) for event in between] == [EpochEnd] * 4 + [CellEnd] * 4
    assert end == RunEnd("")


def test_a_callback_that_fails_costs_the_run_nothing_and_is_told_no_more(told):
    out, _, broken, _ = told
    assert [type(event) for event in broken.events] == [RunStart, EpochEnd]
    log = (out / "run.log").read_text("utf-8")
    assert log.count("WARNING callback Broken failed and is told no more: ValueError") == 1


def test_a_cell_that_fails_says_why(told):
    _, listener, _, failures = told
    failed = [cell for cell in listener.of(CellEnd) if cell.method == "flaky"]
    assert [cell.scores for cell in failed] == [{}, {}]
    assert {f"flaky on {cell.model.model}, fold {cell.model.fold}, seed 0": cell.failures["flaky"]
            for cell in failed} == failures  # fmt: skip


@pytest.mark.slow
def test_callbacks_make_no_result_stale_and_hear_of_the_board(small, tmp_path):
    given = {**small, "metrics": ("iou",), "out": str(tmp_path / "out")}
    run, again = xaibench.run(**given), Listener()
    xaibench.run(**given, callbacks=again)
    assert [type(event) for event in again.events] == [RunStart, BoardWritten, RunEnd]
    pd.testing.assert_frame_equal(again.of(BoardWritten)[0].table, run.leaderboard)


@pytest.mark.slow
def test_other_processes_tell_the_same(settings, tmp_path):
    listener = Listener()
    given = {**settings, "seeds": (0,), "models": ("pocket",), "methods": ("gradcam",)}
    elsewhere = {"executor": "processes", "workers": 2, "threads": 1}
    assert run_told({**given, **elsewhere}, tmp_path / "out", listener) == {}
    check_events(listener, tmp_path / "out")


def test_a_run_without_a_report_tells_those_that_its_options_name(small, brought, tmp_path, caplog):
    given = {**small, "methods": (), "metrics": (), "analyses": ("knn",), "epochs": 1,
             "callbacks": ("brought[count=3]",), "out": str(tmp_path / "out")}  # fmt: skip
    selection = select(given)
    assert run_plan(selection, make_plan(selection), "a test").failures == {}
    assert "counted 3" in caplog.messages


def test_an_error_that_ends_the_run_is_told():
    listener = Listener()
    with pytest.raises(KeyError), make_callbacks([], [listener]):
        raise KeyError("gone")
    assert listener.events == [RunEnd("'gone'")]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("tensorbord", r"--callbacks tensorbord: there is none .*did you mean 'tensorboard'"),
        ("brought[folder=a]", "brought has no option 'folder'"),
        ("brought[count=x]", "not a whole number"),
        ("brought[count=0]", r"--callbacks brought\[count=0\]: ValueError\('none'\)"),
        ("stranger", "--callbacks stranger: it makes no xaibench.Callback"),
        ("broken", "--callbacks broken: the package 'brought' that brings it fails to import"),
    ],
)
def test_what_cant_be_made_is_refused(spec, says, brought):
    with pytest.raises(XaibenchError, match=says):
        make_callbacks(make_options({"callbacks": spec}, {}).callbacks)


@pytest.fixture
def brought(tmp_path, monkeypatch):
    """An installed package that brings callbacks."""
    (tmp_path / "brought_callbacks.py").write_text(
        "import logging, xaibench\n"
        "class Counting(xaibench.Callback):\n"
        "    def __init__(self, *, count: int = 1) -> None:\n"
        "        if not count: raise ValueError('none')\n"
        "        self.count = count\n"
        "    def on_run_end(self, event):\n"
        "        logging.getLogger('xaibench').warning('counted %d', self.count)\n"
    )
    about = tmp_path / "brought-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: brought\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[xaibench.callbacks]\nbrought = brought_callbacks:Counting\n"
        "stranger = collections:Counter\n"
        "broken = no_such_module:Callback\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_a_package_brings_a_callback_with_options(brought, caplog, call):
    with caplog.at_level(logging.WARNING), make_callbacks(["brought[count=7]"]):
        pass
    assert caplog.messages == ["counted 7"]
    assert "brought" in call("list", "callbacks")[1]


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_without_its_library_one_line_says_how_to_get_it(name, monkeypatch):
    modules = __import__("sys").modules
    for known in list(modules):
        if known == f"xaibench.callbacks.{name}" or known.startswith("torch.utils.tensorboard"):
            monkeypatch.delitem(modules, known)
    monkeypatch.setitem(modules, name, None)
    with pytest.raises(XaibenchError, match=rf"not installed; pip install 'xaibench\[{name}\]'"):
        make_callbacks([name])
