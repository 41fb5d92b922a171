"""One cell of submitted maps: one model's test images, scored as any method's maps are."""

import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cached_property

import torch
from torch import Tensor

from xaibench.core.csv_cells import to_cells
from xaibench.core.data import Sample
from xaibench.core.fingerprints import checksum
from xaibench.core.plugin import Bound
from xaibench.core.store import replacing, write_with
from xaibench.explaining.batch import ImageBatch, Maps
from xaibench.explaining.run_session import RunSession
from xaibench.explaining.score import Score, Scorer
from xaibench.explaining.source import Explained, MapSource
from xaibench.explaining.tuned import TUNED, Tuned
from xaibench.explaining.tuning import Tuning
from xaibench.results.folder import CELL_FILE, MAPS_FILE, SCORES_FILE
from xaibench.results.integrity import write_record
from xaibench.results.maps import MapWriter, map_key
from xaibench.results.records import SCHEMA
from xaibench.results.work_records import CellRecord, FailedMetric
from xaibench.setup.cells import Ledger
from xaibench.setup.provenance import made_by
from xaibench.submission.entry import Submission
from xaibench.training.trained import train_model

MISSING = "no map"
Keys = Mapping[str, str]


class _Submitted(MapSource):
    """The maps of a submission."""

    needs_maps = explains_again = False

    def __init__(
        self, method: Bound, submission: Submission, keys: Keys, take: Callable[[Explained], None]
    ) -> None:
        """Take a map for each image; ``keys`` names it in the submission."""
        super().__init__(method, take)
        self._submission, self._keys = submission, keys

    def read(self, batch: ImageBatch) -> dict[str, Maps]:
        def finished(row: int, size: tuple[int, int]) -> tuple[Tensor, str]:
            return self._submission.finished(self._keys[batch.ids[row]], size)

        def enlarge(row: int, size: tuple[int, int]) -> Tensor:
            return finished(row, size)[0][None].to(batch.images.device)

        (kind,), (height, width) = batch.targets, batch.images.shape[2:]
        found = [finished(row, (height, width)) for row in range(len(batch.ids))]
        values = torch.stack([values for values, _ in found]).to(batch.images.device)
        return {kind: Maps(values, [status for _, status in found], enlarge)}


class SubmittedCell:
    """A trained model's images with the maps that were submitted for them."""

    def __init__(self, ledger: Ledger, submission: Submission, method: Bound, known: bool) -> None:
        """Take the maps of one fold; ``known`` tells whether the model is the one they explain."""
        self.ledger, self._submission, self.method = ledger, submission, method
        self._selection = ledger.selection
        self._known = known
        train_model(ledger)
        self._session = RunSession(ledger)
        self.test = self._selection.split(ledger.fold, ledger.seed).test

    def keys(self, kind: str) -> dict[str, str | None]:
        """Return for each test image the key of the map that explains its label or prediction."""
        predicted = self._session.predicted(self.test)
        assert predicted is not None
        return {
            s.id: self._submission.key(kind, s.id, same=self._known and label == s.label)
            for s, label in zip(self.test, predicted.tolist(), strict=True)
        }

    @cached_property
    def tuned_on(self) -> dict[str, str | None]:
        """Keys of the maps of validation images whose masks may be seen."""
        split, kind = (
            self._selection.split(self.ledger.fold, self.ledger.seed),
            self._selection.tuning_target,
        )
        seen = split.seen_in(split.validation)
        return {s.id: self._submission.key(kind, s.id, same=False) for s in seen}

    def commit(self, metrics: Sequence[Bound]) -> dict[str, str]:
        """Score all test images and write the cell; return why metrics failed, by their specs."""
        tuned = None
        if any(TUNED in metric.plugin.signature.words for metric in metrics):
            tuned = self._tune()
        rows: list[Score] = []

        def keep(found: Explained) -> None:
            rows.extend(found.scores)

        failed: dict[str, str] = {}
        used: dict[str, Keys] = {}
        for kind in dict.fromkeys(map(self._selection.target_of, metrics)):
            mine = [metric for metric in metrics if self._selection.target_of(metric) == kind]
            keys = self.keys(kind)
            used[kind] = {sample: key for sample, key in keys.items() if key is not None}
            source = _Submitted(self.method, self._submission, used[kind], keep)
            source.scorer = scorer = Scorer(mine, self._selection.target_of)
            source.tuned = tuned
            self._walk([sample for sample in self.test if sample.id in used[kind]], kind, source)
            rows.extend(scorer.pooled())
            lost = [sample for sample, key in keys.items() if key is None]
            rows.extend(Score(name, m.spec, math.nan, MISSING) for name in lost for m in mine)
            failed |= {spec: str(error) for spec, error in scorer.failed.items()}
        self._write([row for row in rows if row.metric not in failed], used, tuned, metrics, failed)
        return failed

    def _tune(self) -> Tuned:
        samples = {sample.id: sample for sample in self._selection.dataset.samples}
        keys = {name: key for name, key in self.tuned_on.items() if key is not None}
        tuning = Tuning()
        source = _Submitted(self.method, self._submission, keys, tuning.take)
        self._walk([samples[name] for name in keys], "label", source)
        return tuning.found

    def _walk(self, samples: Sequence[Sample], kind: str, source: MapSource) -> None:
        self._session.walk(self._session.batches(samples, kind), [source])

    def _write(
        self,
        rows: Sequence[Score],
        used: Mapping[str, Keys],
        tuned: Tuned | None,
        metrics: Sequence[Bound],
        failed: Mapping[str, str],
    ) -> None:
        ledger, method = self.ledger, self.method
        folder = ledger.cell_folder(method)
        with replacing(folder / MAPS_FILE) as path, closing(MapWriter(path)) as writer:
            for kind, sample, key in _distinct(used):
                writer.add(map_key(kind, sample), self._submission.file.read(key))
        table = io.StringIO(newline="")
        csv.writer(table).writerows([Score._fields, *map(to_cells, rows)])
        write_with(folder / SCORES_FILE, lambda file: file.write(table.getvalue().encode()))
        made_from = {each.spec: ledger.score_fingerprint(method, each) for each in metrics}
        record = CellRecord(
            schema=SCHEMA,
            method=method.spec,
            maps=ledger.maps_fingerprint(method),
            made_by=[made_by(ledger.selection, *metrics)],
            files={MAPS_FILE: checksum(folder / MAPS_FILE)},
            scores_sha256=checksum(folder / SCORES_FILE),
            metrics={spec: made for spec, made in made_from.items() if spec not in failed},
            failed_metrics={
                spec: FailedMetric(why, made_from[spec]) for spec, why in failed.items()
            },
            **(tuned.entries if tuned else {}),
        )
        write_record(folder / CELL_FILE, record)


def _distinct(used: Mapping[str, Keys]) -> Iterator[tuple[str, str, str]]:
    """Yield kind, sample and key, once where one map serves both kinds."""
    first: Keys = next(iter(used.values()), {})
    for kind, keys in used.items():
        for sample, key in keys.items():
            if keys is first or first.get(sample) != key:
                yield kind, sample, key
