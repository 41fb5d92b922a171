"""Copies of a run's images without the pixels that a method ranks highest."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from xaibench.core.baselines import baseline_of
from xaibench.core.csv_cells import to_csv
from xaibench.core.data import Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.plugin import Bound
from xaibench.core.removal import ranks
from xaibench.core.seeds import seed_of
from xaibench.core.store import replacing, write_with
from xaibench.report.pictures.stored import Stored
from xaibench.results.folder import COPIES_FILE, Place
from xaibench.results.stored_run import read_run
from xaibench.setup.selection import Selection


def write_copies(
    explained: Selection, model: Bound, method: Bound, folders: dict[float, Path]
) -> None:
    """Write a copy of each image for each share of its pixels, with a table that lists them.

    The pixels of the map's highest values are replaced by each channel's mean over the image; of
    equal values chance chooses. Each image's map is that of the network that was tested on it, of
    the first seed. Copies are PNGs at the network's size.

    Args:
        explained: the finished run whose maps they are.
        model: one of its models.
        method: one of its methods.
        folders: where the copies of each share, in (0, 1], go.

    Raises:
        XaibenchError: an image has no map, or one that isn't finite.
        StorageError: the disk is full, or a folder can't be written.
    """
    listed = []
    for sample, saliency in _maps(explained, model, method):
        image = torch.tensor(explained.loader.load(sample).image).permute(2, 0, 1)[None]
        chance = torch.Generator().manual_seed(seed_of(0, f"removal {sample.id}"))
        place = ranks(-saliency[None], torch.rand(1, *saliency.shape, generator=chance))
        mean = baseline_of(image / 255, "mean").mul(255).round().to(torch.uint8)
        for share, folder in folders.items():
            covered = torch.where(place < round(share * place.numel()), mean, image)
            _write(covered[0].permute(1, 2, 0).numpy(), folder / f"{sample.id}.png")
        name = explained.dataset.classes[sample.label]
        listed.append({"image": f"{sample.id}.png", "label": name, "group": sample.group})
    for folder in folders.values():
        write_with(folder / COPIES_FILE, partial(to_csv, pd.DataFrame(listed)))


def _maps(explained: Selection, model: Bound, method: Bound) -> Iterator[tuple[Sample, Tensor]]:
    """Yield each sample, in the dataset's order, with its map ``(H, W)`` in [0, 1]."""
    seed, size = explained.options.seeds[0], explained.options.image_size
    kinds = ["label", "predicted"]
    if explained.options.target == "predicted":
        kinds.reverse()
    stored = Stored(read_run(explained.layout.out))
    cells: dict[str, Path] = {}
    for fold in explained.folds:
        place = Place(explained.dataset_spec, explained.split_name, fold, model.spec, seed)
        cell = explained.layout.cell_folder(place, method.spec)
        cells |= {sample.id: cell for sample in explained.split(fold).test}
    for sample in explained.dataset.samples:
        keys = stored.keys(sample.id, kinds)
        found = stored.finished(cells[sample.id], keys, (size, size), method.spec)
        if found is None or found[1] == "non-finite map":
            raise XaibenchError(
                f"{method.spec} on {model.spec}: image '{sample.id}' has no finite map, and "
                "all are needed to train without what they mark; leave the method out."
            )
        yield sample, found[0]


def _write(pixels: NDArray[np.uint8], path: Path) -> None:
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary, "png", compress_level=1)


def folders_of(out: Path, name: str, shares: Sequence[float]) -> dict[float, Path]:
    """Return where the copies of each share go."""
    return {share: out / f"{name}-{share:g}" for share in shares}
