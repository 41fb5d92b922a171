"""What a report of many rows costs: ``python benchmarks/rows.py [1000000]``.

Makes up runs of so many scores in three shapes, and prints a Markdown table: CPU seconds of reading
them, of judging, of tables, figures and page, then of ``xaibench report`` as a whole, imports
included, each with the most memory that the process has held by then. One thread; the folders are
removed afterwards.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from xaibench.report.facts.material import read_material
from xaibench.report.judging.chapter import judge_all
from xaibench.report.write import illustrate, write_tables

_ROWS = 1_000_000
_KILOBYTES = 1e3
_MODELS = ("plain", "saliency_aware")
_CONTROLS = ("center", "random")
_HEADER = ("rows x metrics x maps", "scores", "scores.csv", "read", "judged", "drawn", "whole")


class Shape(NamedTuple):
    """Rows of a board, metrics, and how the maps of a row are divided; ``maps`` follow from it."""

    rows: int
    metrics: int
    seeds: int
    folds: int


_SHAPES = (Shape(30, 20, 3, 1), Shape(10, 10, 1, 1), Shape(20, 4, 1, 5))


def make_up(shape: Shape, count: int, out: Path) -> None:
    """Write ``run.json`` and tables of about ``count`` scores.

    One image in twenty has an empty mask, one in five a near-duplicate, and each row lacks the last
    metric on a few images of its own, which is the slowest case.
    """
    images = count // (shape.rows * shape.metrics * shape.seeds)
    rng = np.random.default_rng(0)
    names = [f"benign/image {at:06}" for at in range(images)]
    numbers = np.arange(images)
    about = pd.DataFrame({
        "sample": names,
        "group": [f"pair {at // 2}" if at % 10 < 2 else "" for at in numbers],  # noqa: PLR2004
        "label": numbers % 2,
        "mask_share": np.where(numbers % 20 == 3, 0, rng.random(images)),  # noqa: PLR2004
        "regions": 1 + (rng.random(images) < 0.2),  # noqa: PLR2004
    })  # fmt: skip
    run = _run(shape)
    (out / "run.json").write_text(json.dumps(run), "utf-8")
    ease = rng.normal(0, 0.2, images)
    for model in _MODELS:
        for place in np.ndindex(shape.folds, shape.seeds):
            chosen = numbers % shape.folds == place[0]
            key = {"dataset": "made_up", "split": "kfold", "fold": place[0], "model": model}
            mine = about[chosen].assign(**key, seed=place[1])
            _append(out / "predictions.csv", _predicted(mine, rng))
            for frame in _cells(mine, ease[chosen], run, rng):
                _append(out / "scores.csv", frame)


def measure(out: Path) -> Iterator[tuple[float, float]]:
    """Report on a folder; yield CPU seconds and kilobytes, the most so far, of each stage."""
    yield _since(0)[0], _peak()
    started = time.process_time()
    material = read_material(out)
    yield _since(started)
    started = time.process_time()
    contents = judge_all(material, out)
    yield _since(started)
    started = time.process_time()
    write_tables(contents, out)
    illustrate(contents, out)
    yield _since(started)


def main(count: int) -> None:
    """Measure all shapes, and print the table."""
    lines = [_HEADER, ("---",) * len(_HEADER)]
    for shape in _SHAPES:
        with tempfile.TemporaryDirectory() as folder:
            make_up(shape, count, Path(folder))
            lines.append(_line(shape, Path(folder)))
    print("\n".join(f"| {' | '.join(line)} |" for line in lines))


def _line(shape: Shape, out: Path) -> tuple[str, ...]:
    stages, _, _ = _child([__file__, "--measure", str(out)])
    _, *measured = json.loads(stages)  # the first is what imports take
    _, seconds, peak = _child(["-m", "xaibench", "report", str(out)])
    with (out / "scores.csv").open("rb") as file:
        rows = sum(1 for _ in file) - 1
    maps = rows // (shape.rows * shape.metrics)
    megabytes = (out / "scores.csv").stat().st_size / _KILOBYTES**2
    figures = [f"{each:.1f} s, {held / _KILOBYTES:.0f} MB"
               for each, held in (*measured, (seconds, peak))]  # fmt: skip
    return (f"{shape.rows} x {shape.metrics} x {maps:,}", f"{rows:,}", f"{megabytes:.0f} MB",
            *figures)  # fmt: skip


def _child(arguments: Sequence[str]) -> tuple[str, float, float]:
    """Run Python; return what it printed, its CPU seconds, and kilobytes at most."""
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True,
                          env=os.environ | {"OMP_NUM_THREADS": "1"}) as process:  # fmt: skip
        printed = process.stdout.read() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed")
    return printed, used.ru_utime + used.ru_stime, used.ru_maxrss


def _run(shape: Shape) -> dict[str, Any]:
    kinds = dict.fromkeys((f"method_{at}" for at in range(shape.rows // len(_MODELS) - 2)), "cam")
    kinds |= dict.fromkeys(_CONTROLS, "control")
    families = ("localization", "faithfulness")
    metrics = {
        f"metric_{at}": {
            "higher_is_better": at % 3 != 1, "family": families[at % 2], "bounds": [0, 1],
            "ranked": True, "estimand": "per image",
        }
        for at in range(shape.metrics)
    }  # fmt: skip
    return {
        "dataset": "made_up", "classes": ["benign", "malignant"], "mask_fraction": 0.25,
        "seeds": [*range(shape.seeds)], "splits": {}, "protocol_hash": "made up",
        "models": {name: {"paper": None} for name in _MODELS},
        "methods": {
            name: {"family": family, "blind": family == "control", "sign": "relu", "paper": None}
            for name, family in kinds.items()
        },
        "metrics": metrics,
    }  # fmt: skip


def _predicted(mine: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    sure = rng.random(len(mine))
    said = {"prediction": sure.round().astype(int), "confidence_0": 1 - sure, "confidence_1": sure}
    return mine.assign(**said)[
        ["dataset", "split", "fold", "model", "seed", *mine.columns[:5], *said]
    ]


def _cells(
    mine: pd.DataFrame, ease: np.ndarray, run: dict[str, Any], rng: np.random.Generator
) -> Iterator[pd.DataFrame]:
    empty = mine["mask_share"].to_numpy() == 0
    for at, method in enumerate(run["methods"]):
        for metric, traits in run["metrics"].items():
            values = 0.3 + at / 100 + ease + rng.normal(0, 0.1, len(mine))
            unknown = empty if traits["family"] == "localization" else np.zeros(len(mine), bool)
            if metric == [*run["metrics"]][-1]:
                unknown = rng.random(len(mine)) < 0.01  # noqa: PLR2004
            yield mine[["dataset", "split", "fold", "model", "seed"]].assign(
                method=method, sample=mine["sample"], metric=metric,
                value=np.where(unknown, np.nan, values.clip(0, 1)),
                status=np.where(unknown, "empty mask", "ok"),
            )  # fmt: skip


def _append(path: Path, frame: pd.DataFrame) -> None:
    frame.to_csv(path, mode="a", index=False, header=not path.exists())


def _since(started: float) -> tuple[float, float]:
    return time.process_time() - started, _peak()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    arguments: Sequence[str] = sys.argv[1:]
    if arguments[:1] == ["--measure"]:
        print(json.dumps(list(measure(Path(arguments[1])))))
    else:
        main(int(arguments[0]) if arguments else _ROWS)
