"""What memory a run holds, phase by phase: ``python benchmarks/memory.py [100 1000 10000]``.

Runs ``xaibench run`` on so many test images of the phantom, in parts of a hundred, and looks every
50 ms at the memory of the process and its children (RSS; Linux only). Prints a Markdown table of
the most that each phase held, and what an image adds from the smallest run to the largest.
Resized pictures, of which a run keeps a gigabyte by design, are kept up to a megabyte here.
"""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import xaibench
from xaibench.core.loading import Loader
from xaibench.datasets.phantom import phantom

_IMAGES = (100, 1000, 10000)
_METHODS = ("gradcam", "gradient", "sobel")
_OPTIONS = {
    "models": "small_vgg[filters=8-8-8-8]", "methods": ",".join(_METHODS),
    "metrics": "iou,drop_in_confidence,pxap", "split": "official", "image-size": 32,
    "epochs": 1, "device": "cpu", "threads": 1,
}  # fmt: skip
_LEARNED, _PART = 40, 100
_PAUSE = 0.05
_PHASES = ("train", "explain", "join", "gather", "report")
_KILOBYTE, _MEGABYTE = 1024, 1e6
Loader.__init__.__defaults__ = (int(_MEGABYTE),)  # of pictures, in the run that loads this file


@xaibench.dataset()
def mostly_tested(*, images: int = 100) -> xaibench.Dataset:
    """Draw the phantom; a few images are for training and validation, all others for testing."""
    found = phantom(images=images + 2 * _LEARNED)
    parts = (["train"] * _LEARNED + ["validation"] * _LEARNED) + ["test"] * images
    # Every second image, so that each part has both classes.
    order = [*found.samples[::2], *found.samples[1::2]]
    samples = (replace(sample, part=part) for sample, part in zip(order, parts, strict=True))
    return replace(found, samples=tuple(samples))


def held(process: int) -> int:
    """Return bytes of RSS of a process and all that it has started."""
    total = 0
    with suppress(OSError):  # it has just ended
        folder = Path(f"/proc/{process}")
        found = re.search(r"VmRSS:\s+(\d+)", (folder / "status").read_text())
        total = int(found[1]) * _KILOBYTE if found else 0
        for children in folder.glob("task/*/children"):
            total += sum(held(int(child)) for child in children.read_text().split())
    return total


def ends_of(out: Path, images: int) -> Iterator[Callable[[], bool]]:
    """Yield of each phase whether it is over, by what the run has left on the disk."""
    last = -(-images // _PART)
    part = f"parts/{last - 1:04}-of-{last:04}/part.json"

    def there(kind: str, *names: str) -> bool:
        return any(next(out.glob(f"{kind}/*/*/*/*/{name}"), None) for name in names)

    yield lambda: there("models", "model.json")
    yield lambda: there("cells", f"{_METHODS[-1]}/{part}", f"{_METHODS[-1]}/cell.json")
    yield lambda: there("cells", f"{_METHODS[-1]}/cell.json")
    yield (out / "tables.json").is_file
    yield lambda: False


def trace(images: int, out: Path) -> dict[str, int]:
    """Run on so many test images; return the most bytes that each phase held."""
    options = {**_OPTIONS, "dataset": f"mostly_tested[images={images}]", "plugin": __file__,
               "part-size": _PART, "out": out}  # fmt: skip
    command = [sys.executable, "-m", "xaibench", "run", "--no-controls"]
    command += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    peaks = dict.fromkeys(_PHASES, 0)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        for phase, is_over in zip(_PHASES, ends_of(out, images), strict=True):
            while process.poll() is None and not is_over():
                peaks[phase] = max(peaks[phase], held(process.pid))
                time.sleep(_PAUSE)
    if process.returncode:
        raise SystemExit(f"the run on {images} images failed")
    return peaks


def main(counts: Sequence[int]) -> None:
    """Trace runs of so many images, and print the table."""
    found = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            found[count] = trace(count, Path(folder))
    lines = [("test images", *_PHASES), ("---",) * (1 + len(_PHASES))]
    for count, peaks in found.items():
        lines.append((f"{count:,}", *(f"{peak / _MEGABYTE:.0f} MB" for peak in peaks.values())))
    first, last = min(counts), max(counts)
    if last > first:
        added = [(found[last][phase] - found[first][phase]) / (last - first) for phase in _PHASES]
        lines.append(("an image adds", *(f"{each:,.0f} bytes" for each in added)))
    print("\n".join(f"| {' | '.join(line)} |" for line in lines))


if __name__ == "__main__":
    main([int(each) for each in sys.argv[1:]] or _IMAGES)
