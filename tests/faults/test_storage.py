"""A disk that fills up ends a run with one line, and costs nothing that was finished."""

import json
import shutil
import subprocess

import pytest
from live_runs import Live, arguments

from results import committed_cells, inconsistencies_of, leftovers_of, results_of

pytestmark = pytest.mark.slow  # whole runs in processes of their own

SIZE = 8 * 2**20
"""Room for a whole run with its report, in bytes."""


@pytest.fixture
def disk(tmp_path):
    """A small file system of its own; to mount it one must be root."""
    place = tmp_path / "disk"
    place.mkdir()
    asked = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(asked, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk, free):
    """Leave so many bytes free, and return what takes the others."""
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(SIZE - free))
    return ballast


def check_said(code, said, disk):
    last = said.splitlines()[-1]
    assert code == 2
    assert "Traceback" not in said
    assert last.startswith(f"error: {disk}/")
    assert last.endswith(
        "can't be written (No space left on device); make room, and repeat the command: it goes "
        "on from there."
    )


@pytest.mark.parametrize("free", [0, 40_000, 110_000, 230_000, 420_000])
def test_once_there_is_room_it_goes_on(free, whole, run, disk):
    ballast, out = fill(disk, free), disk / "out"
    code, said = run(out)
    check_said(code, said, disk)
    assert "failed" not in said
    assert inconsistencies_of(out) == []
    assert not any("error" in json.loads(path.read_text()) for path in out.rglob("cell.json"))
    finished = committed_cells(out)
    ballast.unlink()
    assert run(out)[0] == 0
    assert finished.items() <= committed_cells(out).items()
    assert results_of(out) == whole.results
    assert leftovers_of(out) == []


def test_no_room_for_the_report(whole, run, disk, tmp_path):
    out = disk / "out"
    run(out)
    free = shutil.disk_usage(disk).free
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(free - 150_000))
    live = Live(arguments(out), tmp_path / "said")
    check_said(*live.wait(), disk)
    assert results_of(out).items() >= whole.results.items()
    ballast.unlink()
    assert Live(arguments(out), tmp_path / "said").wait()[0] == 0
    assert (out / "report.html").is_file()
