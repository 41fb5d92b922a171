"""What pictures of a run are made of: its images, and its maps as scoring finished them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from zipfile import BadZipFile

import torch
from torch import Tensor

from xaibench.core.data import Dataset, Picture, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.maps import finish
from xaibench.core.reading.channels import in_color
from xaibench.core.registry import bind, plugins
from xaibench.core.roots import open_dataset
from xaibench.core.spec import parse_spec
from xaibench.report.facts.material import Material
from xaibench.report.facts.units import keys_of_maps, units_of_dataset
from xaibench.results.folder import Layout
from xaibench.results.maps import MapReader, map_files
from xaibench.results.records import RunRecord
from xaibench.results.stored_run import refuse_code

SHOWN_CONTROLS = ("average_mask", "sobel")
"""Controls worth a picture: what a place alone is worth, and what edges alone are."""

_MOST_OPEN = 128  # archives


def holds_maps(material: Material, out: Path) -> bool:
    """Whether a run's folder has maps; merged ones have none, nor have runs that only analyze."""
    run = material.run
    explained = bool(run.options and run.methods) and len(material.predictions) > 0
    return explained and Layout(out).holds_maps


class Stored:
    """What a run's folder holds of images; what was opened once stays open while this is in use."""

    def __init__(self, run: RunRecord) -> None:
        self._run = run
        self._reader = lru_cache(_MOST_OPEN)(_open_cell)

    @cached_property
    def images(self) -> Dataset:
        """The dataset that the run was made on, its pictures in color.

        Raises:
            XaibenchError: it can't be read any more, or is a plugin's that nobody has loaded.
        """
        name = self._run.dataset
        if parse_spec(name)[0] not in plugins("dataset"):
            refuse_code(self._run)
        dataset = open_dataset(bind("dataset", name), self._run.options.get("data_root", ""))
        dataset = replace(dataset, read=partial(_read_in_color, dataset))
        return units_of_dataset(dataset) if self._run.several_labels else dataset

    def keys(self, sample: str, kinds: Sequence[str]) -> list[str]:
        """Return the names that a sample's map may have, by kind of target."""
        return keys_of_maps(sample, kinds, self._run.classes if self._run.several_labels else ())

    def finished(
        self, folder: Path, keys: Sequence[str], size: tuple[int, int], method: str
    ) -> tuple[Tensor, str] | None:
        """Read a map, and finish it as scoring does.

        Args:
            folder: a cell's.
            keys: the map's names; the first that is there counts.
            size: ``(H, W)`` to finish it at.
            method: whose map it is.

        Returns:
            The map ``(H, W)`` in [0, 1] and its status, or None where it isn't stored.

        Raises:
            XaibenchError: the file is damaged.
        """
        try:
            reader = self._reader(folder)
            key = next((key for key in keys if key in reader), None)
            if key is None:  # a method that failed keeps the maps of an earlier split
                return None
            raw = torch.from_numpy(reader[key])[None]
        except (OSError, ValueError, BadZipFile) as error:
            raise XaibenchError(
                f"{folder}/maps*.npz: {error}; repeat the run, and it is made again."
            ) from error
        traits = self._run.methods[method]
        maps, statuses = finish(raw, size, sign=traits.sign, rescale=traits.rescale)
        return maps[0], statuses[0]


def _read_in_color(dataset: Dataset, sample: Sample) -> Picture:
    picture = dataset.read(sample)
    return picture._replace(image=in_color(picture.image))


def _open_cell(folder: Path) -> MapReader:
    return MapReader(*map_files(folder))
