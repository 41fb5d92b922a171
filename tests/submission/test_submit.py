"""`xaibench submit`: maps and plugins become a publication with a card."""

import hashlib
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from xaibench.report.site import build_site


@pytest.fixture
def maps(finished_run, tmp_path):
    """Return a file with a network's maps of one method under another name."""
    found = {}
    for path in finished_run.out.glob("cells/*/*/pocket/seed0/gradcam/maps.npz"):
        with np.load(path) as stored:
            found |= {key: stored[key] for key in stored.files}
    np.savez_compressed(tmp_path / "mine.npz", **found)
    return tmp_path / "mine.npz"


@pytest.mark.slow
def test_maps_become_a_folder_for_a_pull_request(finished_run, plugin_file, maps, tmp_path, call):
    out = tmp_path / "submission"
    code, said, err = call(
        "submit", maps, "--run", finished_run.out, "--model", "pocket", "--out", out,
        "--plugin", plugin_file,
    )  # fmt: skip
    assert code == 0, err
    assert "open a pull request" in " ".join(said.split())
    card = (out / "card.md").read_text("utf-8")
    for told in ("mine", "pocket", "phantom[images=48]", "kfold:2", "## Compute"):
        assert told in card
    assert hashlib.sha256(maps.read_bytes()).hexdigest() in card
    digest = re.search(r"\| leaderboard.csv \| (\w+) \|", card)[1]
    assert hashlib.sha256((out / "leaderboard.csv").read_bytes()).hexdigest() == digest
    assert str(tmp_path) not in card
    assert "mine" in set(pd.read_csv(out / "leaderboard.csv")["method"])
    assert not [path for path in out.rglob("*") if path.suffix in (".npz", ".pt")]
    build_site([out], tmp_path / "site")
    assert (tmp_path / "site" / "submission" / "card.md").read_text("utf-8") == card


@pytest.mark.slow
def test_a_plugin_that_breaks_a_rule_is_not_submitted(finished_run, plugin_file, tmp_path, call):
    broken = tmp_path / "broken.py"
    broken.write_text(
        '"""Broken."""\nfrom torch import Tensor\nfrom xaibench.core.registry import method\n\n\n'
        '@method(family="cam")\ndef half_a_map(activations: Tensor) -> Tensor:\n'
        '    """Return NaN."""\n    return activations.mean(1) * float("nan")\n'
    )
    code, _, err = call("submit", broken, "--run", finished_run.out, "--plugin", plugin_file,
                        "--out", tmp_path / "out")  # fmt: skip
    assert code != 0
    assert "half_a_map breaks" in err
    assert "xaibench check" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_sound_plugin_becomes_a_folder_for_a_pull_request(
    finished_run, plugin_file, tmp_path, call
):
    run, mine = tmp_path / "run", tmp_path / "brightness.py"
    shutil.copytree(finished_run.out, run)
    mine.write_text(
        '"""Bright parts."""\nfrom torch import Tensor\n'
        "from xaibench.core.registry import method\n\n\n"
        '@method(family="other")\ndef brightness(images: Tensor) -> Tensor:\n'
        '    """Return the mean of the color channels, ``(B, H, W)``."""\n'
        "    return images.mean(1)\n"
    )
    out = tmp_path / "submission"
    code, said, err = call("submit", mine, "--run", run, "--plugin", plugin_file, "--out", out)
    assert code == 0, err
    assert "card.md" in said
    card = (out / "card.md").read_text("utf-8")
    assert card.startswith("# Submission: brightness\n")
    assert hashlib.sha256(mine.read_bytes()).hexdigest() in card
    boards = [pd.read_csv(folder / "leaderboard.csv") for folder in (finished_run.out, out)]
    earlier, board = (b[b["model"] == "pocket"].set_index("method")["iou"] for b in boards)
    assert 0 < board["brightness"] < 1
    assert board["gradcam"] == pytest.approx(earlier["gradcam"], abs=1e-6)
    assert not list(out.rglob("*.py"))


@pytest.mark.slow
def test_hostile_names_of_maps_do_nothing(finished_run, plugin_file, maps, tmp_path, call):
    bad = "=cmd&calc!A0 \x1b[2J<img src=x onerror=alert(1)>|[a](javascript:alert(1)).npz"
    maps = maps.rename(tmp_path / bad)
    told = ("--run", finished_run.out, "--model", "pocket", "--plugin", plugin_file)
    out = tmp_path / "submission"
    code, said, err = call("submit", maps, *told, "--out", out)
    assert code == 2
    assert "--name" in err
    assert "\x1b" not in said + err
    assert not out.exists()
    code, said, err = call("submit", maps, *told, "--out", out, "--name", "mine")
    assert code == 0, err
    assert "\x1b" not in said + err
    build_site([out], tmp_path / "site")
    acting = {".json": [], ".md": ["<img src=x", "](javascript"],
              ".html": ["<img src=x", 'href="javascript']}  # fmt: skip
    for path in [*out.rglob("*"), *(tmp_path / "site").rglob("*")]:
        if path.suffix in acting:
            # An indented line is code, and shown as it is.
            lines = path.read_text("utf-8").splitlines()
            text = "\n".join(line for line in lines if not line.startswith("    "))
            assert [each for each in ("\x1b", *acting[path.suffix]) if each in text] == [], path
        if path.suffix == ".csv":
            assert not re.search(r"(^|,)\"?=", path.read_text("utf-8"), re.MULTILINE), path


def test_what_is_of_maps_is_refused_for_a_plugin(tmp_path, call):
    (tmp_path / "mine.py").write_text("")
    code, _, err = call("submit", tmp_path / "mine.py", "--run", tmp_path, "--learned", "0.5")
    assert code != 0
    assert "a plugin says its own" in err
