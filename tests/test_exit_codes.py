"""What scripts get from the command line: codes, and one line of what went wrong."""

import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from plugin_files import forget_plugin_files

from xaibench.cli import main
from xaibench.commands.exits import MEANINGS, Exit

PLUGINS = Path(__file__).parent / "faulty_plugins.py"
TINY = (
    *("run", "--dataset", "phantom[images=40]", "--models", "matchbox", "--metrics", "iou"),
    *("--epochs", "2", "--image-size", "32", "--weights", "none", "--device", "cpu"),
    *("--plugin", str(PLUGINS), "--no-controls", "--methods", "gradcam"),
)


@pytest.fixture(autouse=True)
def _registry_left_without_plugin_files():
    yield
    forget_plugin_files()


def test_every_code_has_a_meaning_and_stands_in_the_help(call):
    assert set(MEANINGS) == set(Exit)
    code, out, _ = call("--help")
    assert code == Exit.DONE
    for each, text in MEANINGS.items():
        assert f"  {each.value:<5}{text}\n" in out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["rum"], "there is no command 'rum' (did you mean 'run'?); `xaibench --help` shows"),
        (["run", "--metods", "a"], "no option --metods (did you mean '--methods'?); `xaibench run"),
        (["run", "--epochs", "x"], "invalid value for '--epochs': 'x' is not a valid integer;"),
        (["run", "-q", "-v"], "--quiet and --verbose: choose one of them."),
        (["score"], "missing argument 'MAPS.npz'; `xaibench score --help` shows"),
        (["study", "los"], "did you mean 'loss'?"),
        (["diagnose", "absent"], "no run.json"),
    ],
)
def test_a_mistake_is_told_in_one_line(call, tmp_path, monkeypatch, arguments, line):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*arguments)
    assert (code, out, err.count("\n")) == (Exit.MISTAKE, "", 1)
    assert err.startswith("error: ")
    assert line in err
    assert list(tmp_path.iterdir()) == []


def test_the_environment_may_set_what_is_told_but_nothing_else(call, tmp_path, monkeypatch):
    monkeypatch.setenv("XAIBENCH_LOG", "loud")
    code, _, err = call("report", tmp_path)
    assert (code, err.count("\n")) == (Exit.MISTAKE, 1)
    assert "XAIBENCH_LOG=LOUD: choose one of DEBUG, INFO" in err


def fall(*_):
    raise ValueError("the\nsky fell")


def test_an_unexpected_error_is_one_line_that_says_where_the_traceback_is(
    call, tmp_path, monkeypatch
):
    monkeypatch.setattr("xaibench.running.run.collect_tables", fall)
    out = tmp_path / "out"
    code, _, err = call(*TINY, "--out", out)
    assert code == Exit.FAULT
    line = err.splitlines()[-1]
    assert line == (
        "unexpected error: ValueError: the sky fell; the traceback is in "
        f"{out / 'run.log'}; please report it."
    )
    assert "Traceback" not in err
    log = (out / "run.log").read_text("utf-8")
    assert 'raise ValueError("the\\nsky fell")' in log
    _, _, err = call(*TINY, "--out", tmp_path / "other", "--verbose")
    assert re.search(r"^\d\d:\d\d:\d\d train matchbox", err, re.MULTILINE)
    assert "Traceback (most recent call last)" in err
    assert err.splitlines()[-1] == line.replace(str(out), str(tmp_path / "other"))
    assert call(*TINY, "--out", out, "-q") == (Exit.FAULT, "", f"{line}\n")


def test_a_model_that_falters_is_a_failure_with_its_traceback_in_the_log(
    call, tmp_path, monkeypatch
):
    monkeypatch.setenv("FALTER", "1")
    code, _, err = call(*TINY, "--out", tmp_path / "out", "-q")
    reason = "ValueError('the\\nsky fell')"
    assert (code, err) == (Exit.FAILED, f"failed: matchbox, fold 0, seed 0: {reason}\n")
    log = (tmp_path / "out" / "run.log").read_text("utf-8")
    assert 'raise ValueError("the\\nsky fell")' in log


def test_a_broken_rule_ends_a_check_with_its_own_code(call):
    code, out, _ = call("check", "hapless", "--plugin", PLUGINS)
    assert code == Exit.FOUND
    assert "broken" in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, Exit.STOPPED), (signal.SIGTERM, Exit.TERMINATED)],
)
def test_signals_stop_a_run_that_the_same_command_continues(tmp_path, number, code):
    process = subprocess.Popen(
        [sys.executable, "-m", "xaibench", *TINY, "--out", "out"],
        cwd=tmp_path, env={**os.environ, "DAWDLE": "0.5"},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    told = [process.stderr.readline() for _ in range(2)]
    assert "epoch 1/2" in told[1]
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err.splitlines()[-1] == "stopped; the same command goes on from here."
    assert "Traceback" not in err
    log = (tmp_path / "out" / "run.log").read_text("utf-8")
    assert log.splitlines()[-1].endswith("INFO stopped")
    assert "Traceback" not in log


def test_a_reader_that_leaves_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "xaibench", "completion", "bash"],
        stdout=writer, stderr=subprocess.PIPE, check=False, timeout=60,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (Exit.PIPE, b"")


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_letters_that_an_encoding_lacks_are_replaced(encoding, monkeypatch):
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding) for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    said = {"metrics iou -o →": 2, "run --dataset folder[path=肿瘤→é]": 2, "list 恶性": 2}
    for line, code in {**said, "metrics iou": 0}.items():
        monkeypatch.setattr(sys, "argv", ["xaibench", *line.split()])
        with pytest.raises(SystemExit) as ended:
            main()
        assert (ended.value.code or 0) == code
    streams["stderr"].flush()
    assert "folder[path=???é]" in streams["stderr"].buffer.getvalue().decode(encoding)
