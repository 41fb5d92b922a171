"""What a run's analyses say of a new picture: its nearest training images, and its error."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from xaibench.core.data import Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.explanation import Advice, Neighbor, Neighbors, Reconstruction
from xaibench.core.passes.engine import Engine
from xaibench.core.plugin import Bound
from xaibench.core.reading.channels import in_color
from xaibench.core.registry import bind
from xaibench.explaining.restoring import reconstruct
from xaibench.results.folder import ANALYSIS_FILE, Layout, Place
from xaibench.results.integrity import intact_record, is_intact
from xaibench.results.stored_work import read_analysis, stored_model
from xaibench.results.work_records import AnalysisRecord, ObservationRecord
from xaibench.setup.selection import Selection

_log = logging.getLogger(__name__)
_KNN, _ANOMALY, _RECONSTRUCTION = "knn", "anomaly", "reconstruction"
_WORD = "train_embeddings"


@dataclass(frozen=True)
class StoredAnalyses:
    """The analyses `knn`, `anomaly` and `reconstruction` of one trained model, where done.

    What a model reconstructs is shown without them, too.

    Attributes:
        layout: of the run's folder.
        place: the trained model.
        select: reads the run's images, which neighbors are taken from.
    """

    layout: Layout
    place: Place
    select: Callable[[], Selection]

    def __call__(self, engine: Engine, images: Tensor) -> list[Advice]:
        """Return what they say of each image ``(B, 3, H, W)``."""
        count = len(images)
        filled = engine.batch_size(images).fill(images)
        nearest: list[Neighbors | None] = [None] * count
        drawn: list[Reconstruction | None] = [None] * count
        if self._neighbors is not None:
            with torch.inference_mode(), engine.casting():
                embeddings = engine.model.embed(filled)[:count].float().cpu().numpy()
            nearest = [self._look_up(row) for row in embeddings]
        if "reconstruction" in engine.model.abilities:
            drawn = [*reconstruct(engine, images, self._thresholds, self._noise)]
        return [Advice(*each) for each in zip(nearest, drawn, strict=True)]

    @cached_property
    def _thresholds(self) -> dict[str, float]:
        known = self._done(_ANOMALY)
        found = {analysis.spec: record.numbers.get("threshold") for analysis, record in known}
        return {name: threshold for name, threshold in found.items() if threshold is not None}

    @cached_property
    def _noise(self) -> float | None:
        known = self._done(_RECONSTRUCTION)
        return float(_options_of(known[0][0])["noise"]) if known else None

    @cached_property
    def _neighbors(self) -> tuple[NearestNeighbors, Sequence[Sample], Bound, Selection] | None:
        """Return the search among the training images, these, the analysis, and where they lie."""
        known = self._done(_KNN)
        if not known:
            return None
        analysis, _ = known[0]
        folder = self.layout.observation_folder(self.place)
        path, record = folder / f"{_WORD}.npy", folder / f"{_WORD}.json"
        told = intact_record(record, ObservationRecord)
        try:
            selection = self.select()
            training = selection.split(self.place.fold, self.place.seed).train
        except XaibenchError as error:
            _log.warning("no neighbors are shown, as the run's images can't be read: %s", error)
            return None
        if told is None or not is_intact(path, told.sha256):
            _log.warning("no neighbors are shown: %s is damaged; repeat the analysis.", path)
            return None
        embeddings = np.load(path)
        if len(embeddings) != len(training):
            _log.warning("no neighbors are shown: other images than the run's lie there now.")
            return None
        options = _options_of(analysis)
        search = NearestNeighbors(n_neighbors=options["k"], metric=options["metric"])
        return search.fit(embeddings), training, analysis, selection

    def _look_up(self, embedding: NDArray[np.float32]) -> Neighbors:
        assert self._neighbors is not None
        search, training, analysis, selection = self._neighbors
        distances, rows = (found[0] for found in search.kneighbors(embedding[None]))
        classes = selection.dataset.classes
        nearest = [
            Neighbor(
                sample.id,
                classes[sample.label],
                float(distance),
                in_color(selection.loader.load(sample).image),
            )
            for distance, sample in zip(distances, [training[row] for row in rows], strict=True)
        ]
        votes = np.bincount([training[row].label for row in rows], minlength=len(classes))
        return Neighbors(analysis.spec, nearest, classes[int(votes.argmax())], int(votes.max()))

    def _done(self, name: str) -> list[tuple[Bound, AnalysisRecord]]:
        """Return the finished analyses of this name of these weights."""
        found = []
        weights = stored_model(self.layout.model_folder(self.place)).sha256
        for path in self.layout.records(ANALYSIS_FILE):
            known = read_analysis(path)
            same = known.place == self.place and known.model_sha256 == weights
            if same and known.error is None and known.analysis.partition("[")[0] == name:
                found.append((bind("analysis", known.analysis), known))
        return found


def _options_of(analysis: Bound) -> dict[str, Any]:
    return {name: o.default for name, o in analysis.plugin.options.items()} | {**analysis.options}
