"""What people see: bars in a terminal, plain lines elsewhere, and what a shell completes."""

import os
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from plugin_files import forget_plugin_files
from terminals import WIDTH, on_a_terminal

import xaibench
from xaibench.cli import cli, main
from xaibench.commands.complete import PROGRAM, VARIABLE, names_of
from xaibench.commands.exits import Exit
from xaibench.core.contract import KINDS
from xaibench.core.registry import plugins

PLUGINS = Path(__file__).parent / "faulty_plugins.py"
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ARGUMENTS = (
    *("run", "--dataset", "phantom[images=40]", "--models", "matchbox", "--metrics", "iou"),
    *("--epochs", "2", "--image-size", "32", "--weights", "none", "--device", "cpu"),
    *("--plugin", str(PLUGINS), "--methods", "gradcam,hapless,leisurely"),
)


def left_standing(written):
    """Return the lines that are on the screen in the end, as a terminal would show them."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", written):
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif part == "\x1b[2K":
            lines[row] = ""
        elif re.fullmatch(r"\x1b\[\d*A", part):
            row -= int(part[2:-1] or 1)
        elif not part.startswith("\x1b"):
            lines[row] = (lines[row][:column].ljust(column) + part).rstrip()
            column += len(part)
    return "\n".join(lines).rstrip("\n").split("\n")


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("screen")
    return folder, *on_a_terminal(folder, "-m", "xaibench", *ARGUMENTS, "--out", "out")


@pytest.fixture(scope="module")
def piped(tmp_path_factory):
    """The same where nobody looks: exit code, folder, standard output and error."""
    out = tmp_path_factory.mktemp("piped") / "out"
    said, told = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(told):
        patch.setattr(sys, "argv", ["xaibench", *ARGUMENTS, "--out", str(out)])
        with pytest.raises(SystemExit) as ended:
            main()
    yield ended.value.code, out, said.getvalue(), told.getvalue()
    forget_plugin_files()


@pytest.mark.slow
def test_a_terminal_shows_nested_bars_that_vanish_and_whole_lines(screen):
    _, code, written = screen
    assert code == Exit.FAILED
    lines = left_standing(written)
    assert not [line for line in lines if "━" in line]
    assert "train matchbox, fold 0, seed 0" in lines
    assert "hapless on matchbox, fold 0, seed 0 failed: RuntimeError('no map today')" in lines
    assert lines[-1] == "failed: hapless on matchbox, fold 0, seed 0: RuntimeError('no map today')"
    assert re.fullmatch(r"done in \d+:\d\d, 1 failed, raw maps take [\d.]+ kB", lines[-2])
    assert not [line for line in lines if ": epoch " in line]  # the bar has shown them
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")  # the cursor is back

    frames = ESCAPE.sub("", written)
    bar, inner = r"━+[╸╺]?━*", "train matchbox, fold 0, seed 0"
    shown = (
        rf"run phantom\[images=40\] +{bar} +0/4 +0:\d\d .*\r?\n"
        rf"  {inner} +{bar} +1/2 +0:\d\d +0:\d\d left *\r?\n"
        r"    loss \d\.\d{3}, validation loss"
    )
    assert re.search(shown, frames)
    assert re.search(r"explain matchbox, fold 0, seed 0 .*\r?\n    leisurely", frames)
    assert max(len(line) for line in re.split(r"[\r\n]+", frames) if "━" in line) <= WIDTH


MANY_LINES = """
import logging, sys, time
import click
from xaibench.core.progress import progress_bar
from xaibench.core.screen import logging_to_terminal, screen

log = logging.getLogger("xaibench.test")
with logging_to_terminal(logging.INFO), progress_bar("suite", "s" * 200, 2) as outer:
    for part in range(2):
        with progress_bar("run", "inner", 3) as bar:
            for step in range(3):
                time.sleep(0.3)
                log.info("%d %d " + "x" * 70, part, step)
                bar.advance(note="n" * 200)
        with screen.paused():
            click.echo(f"printed {part}")
        outer.advance()
"""


@pytest.mark.slow
def test_lines_of_the_log_and_of_the_output_are_never_torn(tmp_path):
    code, written = on_a_terminal(tmp_path, "-c", MANY_LINES)
    assert code == 0
    assert written.count("suite sss") > 8  # bars were drawn between
    expected = []
    for part in range(2):
        expected += [*(f"{part} {step} " + "x" * 70 for step in range(3)), f"printed {part}"]
    assert left_standing(written) == expected


@pytest.mark.slow
def test_a_pipe_gets_plain_lines_and_no_control_codes(piped):
    code, _, said, told = piped
    assert code == Exit.FAILED
    assert not {"\x1b", "━", "\r"} & set(said + told)
    failure = "hapless on matchbox, fold 0, seed 0"
    assert [line.split(", loss")[0] for line in told.splitlines()] == [
        "train matchbox, fold 0, seed 0",
        *(f"matchbox, fold 0, seed 0: epoch {epoch}/2" for epoch in (1, 2)),
        "explain matchbox, fold 0, seed 0",
        f"{failure} failed: RuntimeError('no map today')",
        "dependence of matchbox, fold 0, seed 0",
        f"failed: {failure}: RuntimeError('no map today')",
    ]


@pytest.mark.slow
def test_the_summary_fits_a_screen_and_says_where_everything_is(piped):
    _, out, said, _ = piped
    _, summary = said.split("Phantom (images=40), holdout\n")
    lines = summary.splitlines()
    assert len(lines) < 15
    assert lines[0].split() == ["method", "model", "IoU", "↑", "rank"]
    assert {line.split()[0] for line in lines[1:3]} == {"gradcam", "leisurely"}
    assert lines[3].startswith("best blind control")
    assert lines[4].startswith("accuracy: matchbox 0.")
    assert lines[5].startswith("By IoU ↑, ")
    assert max(map(len, lines[:-2])) <= 100
    assert re.match(rf"written to {out}: .*leaderboard\.md, scores\.csv, .*run\.log", lines[-2])
    assert re.fullmatch(r"done in \d+:\d\d, 1 failed, raw maps take [\d.]+ kB", lines[-1])


@pytest.mark.slow
def test_the_log_is_the_same_wherever_the_run_was_shown(screen, piped):
    folders = screen[0] / "out", piped[1]
    for folder in folders:
        log = (folder / "run.log").read_text("utf-8")
        assert "begin: xaibench run --dataset 'phantom[images=40]'" in log
        assert log.count('raise RuntimeError("no map today")') == 1
        assert log.count(": epoch ") == 2
        assert "\x1b" not in log
    here, there = ((folder / "scores.csv").read_bytes() for folder in folders)
    assert here == there


@pytest.fixture
def finished(piped, tmp_path):
    return shutil.copytree(piped[1], tmp_path / "out")


@pytest.mark.slow
def test_full_prints_all_boards(call, finished):
    code, out, err = call("report", finished, "--full")
    assert (code, err) == (Exit.DONE, "")
    assert "Phantom (images=40), holdout: localization, controls, not ranked\n" in out
    assert "Phantom (images=40), holdout: cost\n" in out


@pytest.mark.slow
def test_quiet_prints_nothing(call, finished):
    assert call("report", finished, "--quiet") == (Exit.DONE, "", "")


def completed(*words):
    *arguments, typed = words
    shell = ShellComplete(cli, {}, PROGRAM, VARIABLE)
    return [item.value for item in shell.get_completions(list(arguments), typed)]


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_known_without_importing_anything(kind):
    package = Path(xaibench.__file__).parent
    ours = {name for name, found in plugins(kind).items() if package in found.file.parents}
    prefixes = {each.traits.prefix for each in plugins(kind, families=True).values()} - {""}
    assert set(names_of(kind)) == ours | prefixes


def test_names_of_plugins_complete_also_within_a_list(tmp_path):
    assert completed("run", "--dataset", "phan") == ["phantom"]
    assert completed("run", "--methods", "gradcam,sp") == ["gradcam,spn"]
    assert completed("run", "--methods", "spn,sp") == []
    assert completed("analyze", "--analysis", "pca,kn") == ["pca,knn"]
    assert completed("run", "--callbacks", "mlflow,ten") == ["mlflow,tensorboard"]
    assert completed("run", "--executor", "proc") == ["processes"]
    assert completed("metrics", "hit_rate_g") == ["hit_rate_graded"]
    assert "--methods" in completed("run", "--met")
    assert "run" in completed("r")
    assert completed("check", "no_such_plu") == ["no_such_plu"]


def test_parts_and_profiles_come_from_the_suite_that_was_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("pair.toml").write_text("[parts.left]\n[parts.right]\n[profiles.quick]\n", "utf-8")
    Path("notes.txt").touch()
    assert completed("run", "--suite", "") == ["pair.toml"]
    assert completed("run", "--suite", "pair.toml", "--part", "r") == ["right"]
    assert completed("run", "--suite", "pair.toml", "--profile", "") == ["quick"]
    assert completed("run", "--suite", "absent.toml", "--part", "r") == []
    assert completed("run", "--part", "r") == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_without_torch(call, tmp_path):
    code, script, _ = call("completion", "bash")
    assert code == Exit.DONE
    program = tmp_path / PROGRAM
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfrom xaibench.cli import main\n"
        "try:\n    main()\nfinally:\n    assert 'torch' not in sys.modules\n", "utf-8",
    )  # fmt: skip
    program.chmod(0o755)
    asking = (
        f"{script}\nCOMP_WORDS=(xaibench run --methods gradcam,sp); COMP_CWORD=3\n"
        '_xaibench_completion xaibench; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", asking], capture_output=True, text=True, check=True,
        env={**os.environ, "PATH": path},
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("gradcam,spn\n", "")
