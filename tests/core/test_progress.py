import contextlib
import logging

import pytest

from xaibench.core import progress
from xaibench.core.errors import XaibenchError
from xaibench.core.logs import interruption_of, logged_to, place_of
from xaibench.core.pace import Pace
from xaibench.core.progress import progress_bar

LOG = logging.getLogger("xaibench.a_test")


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    found = Clock()
    monkeypatch.setattr(progress, "time", found)
    return found


def test_a_kind_that_nobody_has_seen_lasts_like_the_others_until_it_is_seen():
    pace = Pace({"train": 30, "explain": 10})
    assert pace.left() is None
    pace.add("train", 15, seconds=60)
    assert pace.left() == 4 * (15 + 10)
    pace.add("explain", 2, seconds=50)
    assert pace.left() == 4 * 15 + 25 * 8
    pace.add("train", 15)  # not needed: it says nothing of time
    assert pace.left() == 25 * 8
    assert pace.share == pytest.approx(32 / 40)


def test_bars_inside_move_the_work_around_them_and_its_time_left(clock):
    ahead = {"train": 60, "explain": 40}
    with progress_bar("run", "it", 2, ahead=ahead) as run:
        run.expect({"train": 60, "explain": 10})
        with progress_bar("train", "a", 3, unit="epoch") as bar:
            clock.now += 20
            bar.advance(note="loss 1")
            assert (run.fraction, run.left) == pytest.approx((0.2, 80))
            assert (bar.count, round(bar.left)) == ("1/3", 40)
            bar.advance(2)
        with progress_bar("explain", "a", 5) as bar:
            clock.now += 30
            bar.advance(0.5)  # a unit: a tenth of the ten that this job has
            assert bar.count == "0/5"
            assert (run.fraction, run.left) == pytest.approx((0.61, 30 * 39))
        run.advance()
        run.expect({"train": 0, "explain": 30})  # what the first job left out is dropped
        assert run.fraction == pytest.approx(0.7)
        assert run.count == "1/2"
    assert run.fraction == 1


def test_the_outermost_bar_hears_of_the_innermost(clock):
    with progress_bar("study", "s", 2, ahead={"train": 40}) as study:
        for _ in range(2):
            with progress_bar("run", "r", 2, ahead={"train": 20}) as run:
                run.expect({"train": 15})
                with progress_bar("train", "t", 3, done=2) as bar:  # two were done before
                    clock.now += 10
                    bar.advance()
                run.advance()
            study.advance()
            assert study.fraction == {"1/2": 0.5, "2/2": 1}[study.count]


def test_without_a_pace_what_is_inside_counts_as_part_of_a_step(clock):
    with progress_bar("suite", "s", 4, done=1) as suite:
        assert suite.left is None
        with progress_bar("run", "r", 10) as run:
            clock.now += 8
            run.advance(5)
            assert suite.fraction == 1.5 / 4
            assert suite.left == pytest.approx(8 * 2.5 / 0.5)


def test_a_bar_of_nothing_and_one_without_an_end_do_no_harm():
    with progress_bar("explain", "nothing", 0) as bar:
        assert (bar.fraction, bar.left, bar.count) == (0, None, "0")
        bar.advance(3.5)
        assert (bar.fraction, bar.left, bar.count) == (0, None, "3")


def test_units_are_told_one_by_one_and_walks_more_and_more_rarely(clock, caplog):
    with caplog.at_level("INFO", "xaibench"):
        with progress_bar("train", "net, fold 0", 7, 4, unit="epoch") as bar:
            bar.advance(note="loss 0.5")
        with progress_bar("train", "unseen", 7, unit="epoch", shown=False) as bar:
            bar.advance(note="loss 0.5")
        with progress_bar("explain", "net", 36000) as bar:
            for _ in range(36000):
                clock.now += 1
                bar.advance()
    first, *walk = caplog.messages
    assert first == "net, fold 0: epoch 5/7, loss 0.5"
    assert walk[0] == "explain net: 30/36000, 9:59:30 left"
    assert 30 < len(walk) < 70


def test_the_log_is_whole_and_only_appended_to(tmp_path):
    for text in ("first", "second"):
        with logged_to(tmp_path / "out", f"xaibench run {text}"):
            LOG.debug("%s line", text)
            with logged_to(tmp_path / "out", "inside"):
                LOG.info("told once")
            logging.getLogger("other").warning("heard")
            logging.getLogger("other").info("not heard")
    lines = (tmp_path / "out/run.log").read_text("utf-8").splitlines()
    assert [line.split(" ", 2)[2] for line in lines if "torch" not in line] == [
        line
        for text in ("first", "second")
        for line in (f"INFO begin: xaibench run {text}", f"DEBUG {text} line", "INFO told once",
                     "WARNING heard", "INFO end")
    ]  # fmt: skip
    assert logging.getLogger("xaibench").level == logging.NOTSET


def test_the_log_holds_the_traceback_of_what_nobody_expected(tmp_path):
    def fail():
        with logged_to(tmp_path / "out", "xaibench run"):
            raise ValueError("odd")

    with pytest.raises(ValueError, match="odd") as caught:
        fail()
    assert place_of(caught.value) == f"the traceback is in {tmp_path / 'out/run.log'}"
    text = (tmp_path / "out/run.log").read_text("utf-8")
    assert 'raise ValueError("odd")' in text
    assert "ERROR unexpected error: ValueError('odd')" in text


def test_what_is_refused_at_once_leaves_no_folder(tmp_path):
    def refuse():
        with logged_to(tmp_path / "out", "xaibench run"):
            raise XaibenchError("no")

    with pytest.raises(XaibenchError) as caught:
        refuse()
    assert place_of(caught.value) == ""
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cant_be_written_costs_only_the_log(tmp_path, capsys):
    (tmp_path / "file").touch()
    with logged_to(tmp_path / "file", "xaibench run"):
        LOG.info("lost")
    assert "Traceback" not in capsys.readouterr().err


def test_an_interruption_is_found_behind_other_errors():
    def save():
        try:
            raise KeyboardInterrupt  # noqa: TRY301
        except KeyboardInterrupt:
            raise RuntimeError("torch.save")  # noqa: B904

    with pytest.raises(RuntimeError) as caught:
        save()
    assert isinstance(interruption_of(caught.value), KeyboardInterrupt)
    assert interruption_of(RuntimeError("of its own")) is None


def test_a_log_tells_of_a_run_that_found_all_done_but_not_of_what_was_refused(tmp_path):
    def log_of(folder, error=None):
        with contextlib.suppress(XaibenchError), logged_to(folder, "a command"):
            if error:
                raise error
        return (folder / "run.log").is_file()

    assert not log_of(tmp_path)  # no run's folder
    (tmp_path / "run.json").write_text("{}", "utf-8")
    assert not log_of(tmp_path, XaibenchError("no"))
    assert log_of(tmp_path)
    assert (tmp_path / "run.log").read_text("utf-8").splitlines()[-1].endswith("INFO end")
