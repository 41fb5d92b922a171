"""One cell of submitted maps: one model's test images, scored as any method's maps are."""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from typing import NoReturn

import torch
from torch import Tensor

from xaibench.core.csv_cells import to_cells
from xaibench.core.data import Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.fingerprints import checksum
from xaibench.core.loading import Loaded
from xaibench.core.passes.device import choose_device, place_images
from xaibench.core.plugin import Bound
from xaibench.core.store import replacing, write_with
from xaibench.explaining.evidence import Asked, Evidence, evidence_of
from xaibench.explaining.explain import Maps, TestBatch
from xaibench.explaining.score import Score, score_batches
from xaibench.explaining.tuning import TUNED, Tuning
from xaibench.results.folder import CELL_FILE, MAPS_FILE, PREDICTIONS_FILE, SCORES_FILE
from xaibench.results.integrity import write_record
from xaibench.results.maps import MapWriter, map_key
from xaibench.results.records import SCHEMA
from xaibench.setup.cells import Ledger
from xaibench.setup.provenance import made_by
from xaibench.submission.entry import Submission
from xaibench.training.trained import Predictions, load_model, train_model

MISSING = "no map"
Keys = Mapping[str, str]


class SubmittedCell:
    """A trained model's images with the maps that were submitted for them."""

    def __init__(self, ledger: Ledger, submission: Submission, method: Bound, known: bool) -> None:
        """Take the maps of one fold; ``known`` tells whether the model is the one they explain."""
        self.ledger, self._submission, self.method = ledger, submission, method
        self._selection = ledger.selection
        self._known = known
        self._device = choose_device(self._selection.options.device)
        train_model(ledger)
        self._engine = self._selection.engine(load_model(ledger))
        self._predictions = Predictions(ledger.folder / PREDICTIONS_FILE)
        self.test = self._selection.split(ledger.fold).test

    def keys(self, kind: str) -> dict[str, str | None]:
        """Return for each test image the key of the map that explains its label or prediction."""
        predicted = self._predicted(self.test).tolist()
        return {
            s.id: self._submission.key(kind, s.id, same=self._known and label == s.label)
            for s, label in zip(self.test, predicted, strict=True)
        }

    @cached_property
    def tuned_on(self) -> dict[str, str | None]:
        """Keys of the maps of validation images whose masks may be seen."""
        split, kind = self._selection.split(self.ledger.fold), self._selection.tuning_target
        seen = split.seen_in(split.validation)
        return {s.id: self._submission.key(kind, s.id, same=False) for s in seen}

    def commit(self, metrics: Sequence[Bound]) -> float | None:
        """Score all test images and write the cell; return the threshold where one was tuned."""
        threshold = None
        if any(TUNED in metric.plugin.signature.words for metric in metrics):
            threshold = self._tune()
        rows: list[Score] = []
        used: dict[str, Keys] = {}
        for kind in dict.fromkeys(map(self._selection.target_of, metrics)):
            mine = [metric for metric in metrics if self._selection.target_of(metric) == kind]
            keys = self.keys(kind)
            used[kind] = {sample: key for sample, key in keys.items() if key is not None}
            rows += self._score(mine, kind, used[kind], threshold)
            lost = [sample for sample, key in keys.items() if key is None]
            rows += [Score(name, m.spec, math.nan, MISSING) for name in lost for m in mine]
        self._write(rows, used, metrics, threshold)
        return threshold

    def _tune(self) -> float:
        samples = {sample.id: sample for sample in self._selection.dataset.samples}
        tuning = Tuning()
        keys = {name: key for name, key in self.tuned_on.items() if key is not None}
        for loaded in self._batches([samples[name] for name in keys]):
            maps = self._maps(loaded, keys)
            tuning.add(self.method, maps.values, loaded.masks.to(self._device))
        return tuning.thresholds()[self.method.spec]

    def _score(
        self, metrics: Sequence[Bound], kind: str, keys: Keys, threshold: float | None
    ) -> list[Score]:
        asked = Asked(_refuse, threshold)

        def batches() -> Iterator[tuple[Mapping[str, Evidence], TestBatch]]:
            for loaded in self._batches([sample for sample in self.test if sample.id in keys]):
                batch = self._prepare(loaded, kind)
                yield evidence_of({kind: self._maps(loaded, keys)}, batch, lambda _: asked), batch

        return score_batches(metrics, batches(), self._selection.target_of)

    def _batches(self, samples: Sequence[Sample]) -> Iterator[Loaded]:
        options = self._selection.options
        return self._selection.loader.batches(
            samples, options.batch_size, originals=options.score_at == "original"
        )

    def _maps(self, loaded: Loaded, keys: Keys) -> Maps:
        size = (loaded.images.shape[2], loaded.images.shape[3])
        found = [self._submission.finished(keys[sample.id], size) for sample in loaded.samples]
        values = torch.stack([values for values, _ in found])

        def enlarge(row: int, size: tuple[int, int]) -> Tensor:
            finished, _ = self._submission.finished(keys[loaded.samples[row].id], size)
            return finished[None].to(self._device)

        return Maps(values.to(self._device), [status for _, status in found], enlarge)

    def _prepare(self, loaded: Loaded, kind: str) -> TestBatch:
        labels = torch.tensor([sample.label for sample in loaded.samples])
        targets = labels if kind == "label" else self._predicted(loaded.samples)
        images = place_images(loaded.images, self._device)
        return TestBatch.of(loaded, images, {kind: targets}, self._engine.predict)

    def _predicted(self, samples: Sequence[Sample]) -> Tensor:
        found = self._predictions.of(samples)
        assert found is not None
        return found

    def _write(
        self,
        rows: Sequence[Score],
        used: Mapping[str, Keys],
        metrics: Sequence[Bound],
        threshold: float | None,
    ) -> None:
        ledger, method = self.ledger, self.method
        folder = ledger.cell_folder(method)
        with replacing(folder / MAPS_FILE) as path, closing(MapWriter(path)) as writer:
            for kind, sample, key in _distinct(used):
                writer.add(map_key(kind, sample), self._submission.file.read(key))
        table = io.StringIO(newline="")
        csv.writer(table).writerows([Score._fields, *map(to_cells, rows)])
        write_with(folder / SCORES_FILE, lambda file: file.write(table.getvalue().encode()))
        write_record(folder / CELL_FILE, {
            "schema": SCHEMA,
            "method": method.spec,
            "maps": ledger.maps_fingerprint(method),
            "made_by": [made_by(ledger.selection, *metrics)],
            "files": {MAPS_FILE: checksum(folder / MAPS_FILE)},
            "scores_sha256": checksum(folder / SCORES_FILE),
            "metrics": {each.spec: ledger.score_fingerprint(method, each) for each in metrics},
            TUNED: threshold,
        })  # fmt: skip


def _distinct(used: Mapping[str, Keys]) -> Iterator[tuple[str, str, str]]:
    """Yield kind, sample and key, once where one map serves both kinds."""
    first: Keys = next(iter(used.values()), {})
    for kind, keys in used.items():
        for sample, key in keys.items():
            if keys is first or first.get(sample) != key:
                yield kind, sample, key


def _refuse(_: Tensor) -> NoReturn:
    raise XaibenchError("submitted maps can't explain other images.")
