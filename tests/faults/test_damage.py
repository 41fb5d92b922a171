"""Whatever a disk does to the files of a run: each damage is found, named and mended."""

import random
import re
import shutil

import pytest
from live_runs import TINY, KilledBefore, Live
from PIL import Image

from results import committed_cells, results_of

pytestmark = pytest.mark.slow  # whole runs in processes of their own

FILES = (
    ("models/pocket/model.pt", "models/pocket/predictions.csv",
     "models/pocket_saliency/model.json"),
    ("cells/pocket/gradcam/maps-0001-of-0003.npz", "cells/pocket/sobel/scores.csv",
     "cells/pocket_saliency/spn/cell.json", "analyses/pocket/pca/analysis.json"),
    ("analyses/pocket/pca/images.csv", "observations/pocket/embeddings.npy",
     "observations/pocket/train_embeddings.json", "cells/pocket_saliency/sobel/scores.csv"),
)  # fmt: skip
"""Files that don't hang on each other: each is looked at, whatever the others are."""
REMADE = ("run.json", "splits/holdout.csv", "scores.csv", "predictions.csv", "tables.json")
"""Written by every run."""


def cut(content, chance):
    """Truncated somewhere."""
    return content[: chance.randrange(len(content))]


def flip(content, chance):
    """One bit is another."""
    place = chance.randrange(len(content))
    changed = bytes([content[place] ^ 1 << chance.randrange(8)])
    return content[:place] + changed + content[place + 1 :]


def zeros(content, chance):
    """Full length, but the power failed before its bytes reached the disk."""
    return bytes(len(content))


def empty(content, chance):
    return b""


KINDS = (cut, flip, flip, zeros, empty)


def place(out, name):
    kind, model, file = name.split("/", 2)
    return out / kind / "phantom-images=60" / "holdout" / model / "seed0" / file


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("group", range(len(FILES)))
def test_damaged_files_are_named_and_made_again(group, seed, whole, out, run):
    chance = random.Random(f"{group}{seed}")
    paths = [place(out, name) for name in FILES[group]]
    for path in paths:
        path.write_bytes(chance.choice(KINDS)(path.read_bytes(), chance))
    code, said = run(out)
    assert code == 0
    assert [path for path in paths if f"{path} is damaged" not in said] == []
    assert results_of(out) == whole.results


def test_what_every_run_writes_is_not_read(whole, out, run):
    chance = random.Random(0)
    for name in REMADE:
        (out / name).write_bytes(chance.choice(KINDS)((out / name).read_bytes(), chance))
    assert run(out)[0] == 0
    assert results_of(out) == whole.results


@pytest.mark.parametrize("seed", [0, 1])
def test_damaged_parts_are_named_and_made_again(seed, whole, run, tmp_path):
    chance, out = random.Random(seed), tmp_path / "out"
    run(out, KilledBefore(70, str(out)))  # two parts of a model are there, and the other's
    parts = sorted(path for path in out.glob("cells/**/parts/*/*") if path.suffix != ".tmp")
    assert {path.name for path in parts} == {"part.json", "pooled.npz", "scores.csv"}
    damaged = chance.sample(parts, 3)
    for path in damaged:
        path.write_bytes(chance.choice(KINDS)(path.read_bytes(), chance))
    code, said = run(out)
    assert code == 0
    assert any(f"{path} is damaged" in said for path in damaged)
    assert results_of(out) == whole.results


def test_a_lost_record_or_file_is_made_again_and_nothing_else(whole, out, run):
    for name in ("cells/pocket/sobel/cell.json", "models/pocket_saliency/model.json"):
        place(out, name).unlink()
    finished = committed_cells(out)
    assert run(out)[0] == 0
    assert finished.items() <= committed_cells(out).items()
    assert results_of(out) == whole.results


@pytest.mark.parametrize("name", ["scores.csv", "predictions.csv", "costs.csv"])
def test_a_report_refuses_damaged_tables_by_name(name, out, tmp_path):
    chance = random.Random(name)
    (out / name).write_bytes(flip((out / name).read_bytes(), chance))
    code, said = Live(["report", out], tmp_path / "said").wait()
    assert code == 2
    assert (
        said.strip()
        .splitlines()[-1]
        .startswith(f"error: {out}: changed or gone since the run: {name}")
    )
    assert not (out / "report.html").exists()


@pytest.mark.parametrize("command", ["explain", "score", "diagnose"])
def test_nobody_takes_a_damaged_model(command, out, tmp_path):
    model = place(out, "models/pocket/model.pt")
    model.write_bytes(flip(model.read_bytes(), random.Random(command)))
    picture, maps = tmp_path / "a.png", place(out, "cells/pocket/gradcam/maps.npz")
    Image.new("RGB", (40, 30)).save(picture)
    shutil.copy(maps.with_name("maps-0000-of-0003.npz"), maps)
    of_model = ["--run", out, "--model", "pocket", "--out", tmp_path / "there"]
    words = {
        "explain": ["explain", picture, *of_model],
        "score": ["score", maps, *of_model],
        "diagnose": ["diagnose", out],
    }[command]
    words += ["--plugin", TINY["--plugin"]]
    code, said = Live(words, tmp_path / "said").wait()
    assert code == 2
    assert re.search(rf"{re.escape(str(model))}.* damaged", said)
    assert said.splitlines()[-1].startswith("error: ")
