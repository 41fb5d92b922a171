"""What the number of CPU threads changes: ``python benchmarks/threads.py [DATA]``.

Runs the same networks on BUSI (``--limit 20``) with one thread and with two, trained anew each
time and then with the weights of the first. Prints a Markdown table of the largest differences of
confidences, of raw maps (as shares of a map's largest number) and of scores.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from xaibench.results.maps import MapReader, map_files

_MODELS = ("resnet18", "resnet50", "mobilenet_v3_small", "densenet121")
_METHODS = ("gradcam", "gradient", "integrated_gradients")
_METRICS = ("iou", "hit_rate", "drop_in_confidence")
_OPTIONS = {
    "dataset": "busi", "limit": 20, "image-size": 96, "epochs": 2, "weights": "none",
    "methods": ",".join(_METHODS), "metrics": ",".join(_METRICS), "device": "cpu",
}  # fmt: skip
_KEY = ["method", "sample", "metric"]


def run(model: str, threads: int, out: Path, data: str) -> None:
    """Train, if nobody has, explain and score."""
    options = {**_OPTIONS, "models": model, "threads": threads, "out": out}
    options |= {"data-root": data} if data else {}
    command = [sys.executable, "-m", "xaibench", "run", "--no-controls", "--quiet"]
    command += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    subprocess.run(command, check=True)


def differences(one: Path, two: Path) -> Iterator[float]:
    """Yield the largest difference of confidences, of maps, and of each metric's scores."""
    tables = [pd.read_csv(out / "predictions.csv", dtype={"sample": str}) for out in (one, two)]
    confidences = [table.filter(like="confidence_").to_numpy() for table in tables]
    yield float(np.abs(confidences[0] - confidences[1]).max())
    yield max(map(_largest, *(sorted(out.glob("cells/*/*/*/*/*")) for out in (one, two))))
    scores = [pd.read_csv(out / "scores.csv").set_index(_KEY)["value"] for out in (one, two)]
    apart = (scores[0] - scores[1]).abs().groupby("metric").max()
    yield from apart.loc[list(_METRICS)]


def _largest(one: Path, two: Path) -> float:
    found = 0.0
    with MapReader(*map_files(one)) as ours, MapReader(*map_files(two)) as theirs:
        for key in (key for path in map_files(one) for key in np.load(path).files):
            if key in theirs:  # the other may predict, and so explain, another class
                scale = max(np.abs(ours[key]).max(), np.finfo(np.float32).tiny)
                found = max(found, float(np.abs(ours[key] - theirs[key]).max() / scale))
    return found


def main(data: str) -> None:
    """Run, compare, print."""
    header = ("network", "two threads for", "confidence", "maps", *_METRICS)
    lines = [header, ("---",) * len(header)]
    for model in _MODELS:
        with tempfile.TemporaryDirectory() as name:
            one, explained, trained = (Path(name, each) for each in ("one", "explained", "trained"))
            run(model, 1, one, data)
            shutil.copytree(one, explained, ignore=shutil.ignore_patterns("cells"))
            for out in (explained, trained):
                run(model, 2, out, data)
            _, *apart = (f"{each:.1g}" for each in differences(one, explained))
            lines.append((model, "explaining", "", *apart))  # the first run's predictions hold
            apart = [f"{each:.1g}" for each in differences(one, trained)]
            lines.append((model, "training, too", *apart))
    print("\n".join(f"| {' | '.join(line)} |" for line in lines))


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else "")
