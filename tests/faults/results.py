"""What of a run's folder must be the same whatever happened on the way there."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from xaibench.core.fingerprints import checksum
from xaibench.results.maps import map_files
from xaibench.results.tables import COSTS

_DIFFERENT = (*COSTS, "record_checksum", "made_by")
TABLES = ("scores.csv", "predictions.csv")


def results_of(out):
    """Return a run's results by name, all that must be the same bytes after any accident."""
    found = {name: sorted((out / name).read_bytes().splitlines()) for name in TABLES}
    for path in sorted(out.glob("models/**/model.pt")):
        found[path.relative_to(out).as_posix()] = checksum(path)
    for path in sorted(out.glob("models/**/history.csv")):
        history = pd.read_csv(path, dtype=str).drop(columns="seconds")
        found[path.relative_to(out).as_posix()] = history.to_csv()
    for name in ("cell.json", "analysis.json"):
        for path in sorted(out.rglob(name)):
            record = json.loads(path.read_text("utf-8"))
            found[path.relative_to(out).as_posix()] = {
                key: value for key, value in record.items() if key not in _DIFFERENT
            }
    if (out / "leaderboard.csv").is_file():
        board = pd.read_csv(out / "leaderboard.csv", dtype=str)
        found["leaderboard.csv"] = board.drop(columns=list(COSTS)).to_csv()
    return found


def leftovers_of(out):
    """Return what a finished run must not leave behind."""
    names = [path.relative_to(out).as_posix() for path in out.rglob("*")]
    return [
        name
        for name in names
        if name.endswith((".tmp", "/parts", "checkpoint.pt", "failure.json", "replica.pt"))
    ]


def inconsistencies_of(out):
    """Return which records name a file that isn't what they say; records are written last."""
    return [
        (record.relative_to(out).as_posix(), file.name)
        for record, file, sha256 in _named(out)
        if checksum(file) != sha256
    ]


def committed_cells(out):
    """Return what differs of each finished cell and model once it is written again."""
    paths = [path for name in ("cell.json", "model.json") for path in out.rglob(name)]
    return {
        path: (path.stat().st_ino, path.stat().st_mtime_ns)
        for record in paths
        for path in [record, *map_files(record.parent)]
    }


def _named(out: Path) -> Iterator[tuple[Path, Path, str]]:
    for path in out.rglob("*.json"):
        folder, known = path.parent, json.loads(path.read_text("utf-8"))
        if path.name == "model.json":
            yield path, folder / "model.pt", known["sha256"]
            yield path, folder / "predictions.csv", known["predictions_sha256"]
        elif path.name == "cell.json" and "error" not in known:
            yield path, folder / "scores.csv", known["scores_sha256"]
            for name, sha256 in known["files"].items():
                yield path, folder / name, sha256
        elif path.name == "part.json":
            for name, sha256 in known["sha256"].items():
                yield path, folder / name, sha256
            for name, sha256 in known["files"].items():
                yield path, folder.parents[1] / name, sha256
        elif path.name == "analysis.json" and "files" in known:
            for name, sha256 in known["files"].items():
                yield path, folder / name, sha256
        elif path.parent.name.startswith("seed") and "sha256" in known:  # observations
            yield path, path.with_suffix(".npy"), known["sha256"]
