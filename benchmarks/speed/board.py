"""Measure what a large board takes: all tests, slices, letters and tables, on made scores.

    python benchmarks/speed/board.py

prints seconds of the wall and of the CPU. The scores are drawn: images of one group belong
together, rows differ a little, and one image in a hundred is undefined for all rows, as one without
a mask is; with `--scattered` each row lacks others, so that no two pairs share their images.
"""

import tempfile
import time
from pathlib import Path

import click
import numpy as np
import pandas as pd

from xaibench.core.fingerprints import fingerprint
from xaibench.report.facts.material import Material
from xaibench.report.judging.chapter import judge_all
from xaibench.report.write import write_tables
from xaibench.results.records import MethodEntry, MetricEntry, RunRecord

_FOLDS, _MODEL, _CONTROLS = 5, "resnet18", 2
_UNDEFINED, _ACCURACY = 0.01, 0.85


@click.command()
@click.option("--rows", default=50)
@click.option("--metrics", default=25)
@click.option("--images", default=650)
@click.option("--seeds", default=3, help="of each of five folds")
@click.option("--scattered", is_flag=True, help="each row lacks images of its own")
def main(rows: int, metrics: int, images: int, seeds: int, *, scattered: bool) -> None:
    """Make scores, judge them and write the tables."""
    material = _made(rows, metrics, images, seeds, scattered=scattered)
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        contents = judge_all(material, Path(folder))
        judged = time.perf_counter()
        write_tables(contents, Path(folder))
        done = time.perf_counter()
    click.echo(
        f"{rows} rows, {metrics} metrics, {images} images, {_FOLDS * seeds} trainings: "
        f"judged in {judged - wall:.1f} s, written in {done - judged:.1f} s, "
        f"CPU {time.process_time() - cpu:.1f} s"
    )


def _made(rows: int, metrics: int, images: int, seeds: int, *, scattered: bool) -> Material:
    rng = np.random.default_rng(0)
    methods = [f"method{at}" for at in range(rows)]
    names = [f"metric{at}" for at in range(metrics)]
    units = pd.DataFrame(
        [(f"s{at:04}", at % _FOLDS, seed) for at in range(images) for seed in range(seeds)],
        columns=["sample", "fold", "seed"],
    )
    units = units.assign(dataset="made", split=f"kfold:{_FOLDS}", model=_MODEL)
    image = np.repeat(np.arange(images), seeds)
    frames = []
    for metric in names:
        known = rng.beta(2, 3, (images, 1)) + rng.normal(0, 0.1, (images, rows))
        values = known[image] + rng.normal(0, 0.05, (len(units), rows)) + np.linspace(0, 0.1, rows)
        lacking = rng.random((images, rows if scattered else 1))[image] < _UNDEFINED
        values[np.broadcast_to(lacking, values.shape)] = np.nan
        values = values.clip(0, 1)
        frames += [
            units.assign(method=method, metric=metric, value=values[:, at], status="ok")
            for at, method in enumerate(methods)
        ]
    scores = pd.concat(frames, ignore_index=True)
    texts = ["dataset", "split", "model", "sample", "method", "metric", "status"]
    scores = scores.astype(dict.fromkeys(texts, "category"))
    label = image % 2
    right = rng.random(len(units)) < _ACCURACY
    predictions = units.assign(
        label=label,
        prediction=np.where(right, label, 1 - label),
        group=[f"g{at // 2}" if at % 5 == 0 else "" for at in image],
        mask_share=rng.random(images)[image] / 3,
        regions=1,
        confidence_0=0.5,
        confidence_1=0.5,
    )
    return Material.of(_record(methods, names, seeds), scores, predictions)


def _record(methods: list[str], metrics: list[str], seeds: int) -> RunRecord:
    protocol = {"split": f"kfold:{_FOLDS}", "targets": {}, "metrics": {}}
    controls = methods[:_CONTROLS]
    return RunRecord(
        dataset="made",
        classes=["benign", "malignant"],
        seeds=list(range(seeds)),
        protocol=protocol,
        protocol_hash=fingerprint(protocol),
        methods={
            name: MethodEntry(family="control" if name in controls else "cam", blind=True)
            for name in methods
        },
        metrics={
            name: MetricEntry(
                higher_is_better=True,
                family="localization" if at % 2 else "faithfulness",
                bounds=(0, 1),
            )
            for at, name in enumerate(metrics)
        },
    )


main()
