"""Test images of a section with a row's maps, and which of them a row serves best and worst."""

from pathlib import Path

import numpy as np
from torch import Tensor

from xaibench.core.data import Picture
from xaibench.report.facts.material import Material
from xaibench.report.facts.section import Section
from xaibench.report.pictures.stored import Stored
from xaibench.results.folder import Layout, Place

_KINDS = ("label", "predicted")


class UnitMaps:
    """Reads the pictures and maps of a section's lines: an image in a fold and of a seed."""

    def __init__(
        self, section: Section, material: Material, metric: str, stored: Stored, out: Path
    ) -> None:
        """Take maps of the class that a metric scores.

        Raises:
            XaibenchError: the dataset can't be read any more.
        """
        self._section, self._stored, self._layout = section, stored, Layout(out)
        self.run, self.size = material.run, material.run.image_size
        target = material.run.metrics[metric].target
        self._kinds = sorted(_KINDS, key=lambda kind: kind != target)
        self._samples = {sample.id: sample for sample in stored.images.samples}

    def name(self, unit: int) -> str:
        """Return the sample's id."""
        return str(self._section.units["sample"][unit])

    def picture(self, unit: int) -> Picture:
        """Return the image and its mask at their own size.

        Raises:
            XaibenchError: it can't be read any more.
        """
        return self._stored.images.read(self._samples[self.name(unit)])

    def heat(self, unit: int, place: int) -> Tensor | None:
        """Return the map ``(size, size)`` of the row at a place, None where none is stored.

        Raises:
            XaibenchError: the file is damaged.
        """
        section, row = self._section, self._section.rows[place]
        fold, seed = (int(section.units[part][unit]) for part in ("fold", "seed"))
        whose = Place(section.dataset, section.split, fold, row.model, seed)
        keys = self._stored.keys(self.name(unit), self._kinds)
        folder = self._layout.cell_folder(whose, row.method)
        found = self._stored.finished(folder, keys, (self.size, self.size), row.method)
        return None if found is None else found[0]

    def best_and_worst(self, place: int, metric: str, each: int) -> list[tuple[str, int]]:
        """Return the images of the first seed that a row serves best, and those it serves worst.

        Each is there once, with the word ``best`` or ``worst``; the best are first.
        """
        seeds = self._section.units["seed"].to_numpy()
        there = self._section.units["sample"].isin(self._samples).to_numpy()
        own = self._section.values[metric][:, place]
        known = np.flatnonzero((seeds == seeds.min()) & there & ~np.isnan(own))
        order = known[np.argsort(-self.run.metrics[metric].sign * own[known], kind="stable")]
        best = order[: min(each, -(-len(order) // 2))]
        worst = order[len(best) :][-each:]
        return [
            *(("best", int(unit)) for unit in best),
            *(("worst", int(unit)) for unit in worst),
        ]
