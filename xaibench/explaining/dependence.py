"""Dependence on the decision: does a map change with the class, and with the network's last layers?

Some test images are explained three times: for the class that the run explains, for the runner-up
class, and for the first class again with random weights in the last layers. A map that stays the
same explains nothing of the decision, however well it fits the annotation.
"""

from collections import defaultdict
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from xaibench.core.data import Sample
from xaibench.core.fingerprints import code_of, fingerprint
from xaibench.core.maps import NON_FINITE
from xaibench.core.networks.random_weights import classification_head, with_random_weights
from xaibench.core.plugin import Bound
from xaibench.core.progress import Bar
from xaibench.core.rank_correlation import rank_correlation
from xaibench.explaining.batch import Maps
from xaibench.explaining.choose_images import choose_images, class_explained
from xaibench.explaining.failures import PluginError, blaming
from xaibench.explaining.run_session import RunSession
from xaibench.explaining.session import Session
from xaibench.explaining.source import Explained, MapSource
from xaibench.results.folder import DEPENDENCE_FILE
from xaibench.results.integrity import intact_record, write_record
from xaibench.results.records import SCHEMA
from xaibench.results.work_records import DependenceRecord
from xaibench.setup.cells import CellState, Ledger
from xaibench.setup.provenance import made_by
from xaibench.setup.selection import Selection

RUNNER_UP = "runner_up"
# Each is explained three times: of at most a third of the images that costs no more than the run's
# own explaining.
_MOST, _TIMES = 32, 3


def images_of(ledger: Ledger) -> list[Sample]:
    """Return the test images that are explained again: 32, or the third that are there."""
    return _images_of(ledger.selection, ledger.fold)


@cache
def _images_of(selection: Selection, fold: int) -> list[Sample]:
    samples = selection.split(fold).test
    return choose_images(samples, min(_MOST, -(-len(samples) // _TIMES)))


def known_dependence(state: CellState) -> DependenceRecord | None:
    """Return what is stored of a cell's dependence; None unless it was made from the same."""
    path = state.ledger.cell_folder(state.method) / DEPENDENCE_FILE
    known = intact_record(path, DependenceRecord)
    same = known is not None and known.made_from == _made_from(state)
    return known if known and same and state.ledger.accepts(known) else None


def is_unmeasured(state: CellState) -> bool:
    """Whether a cell's dependence is wanted and not known; what has failed only if tried again."""
    selection = state.ledger.selection
    options = selection.options
    if (
        not options.dependence
        or selection.dataset.several_labels
        or (state.failure is not None and not options.retry_failed)
    ):
        return False
    known = known_dependence(state)
    return known is None or bool(known.error and options.retry_failed)


def runner_up(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the class with the highest logit beside the target, ``(B,)``."""
    others = logits.scatter(1, targets[:, None], float("-inf"))
    return others.argmax(dim=1)


def measure_dependence(session: RunSession, methods: Sequence[Bound], bar: Bar) -> None:
    """Explain some images again with each method, and store how much its maps change.

    A method that fails has a record that says why; it is not asked again under the same conditions.

    Args:
        session: of a trained model that classifies.
        methods: whose cells are done.
        bar: counts images.
    """
    ledger = session.ledger
    kind = class_explained(ledger.selection.options.target)
    asked = [_Asked(method, kind) for method in methods]
    batches = list(session.batches(images_of(ledger), kind))
    images = torch.cat([batch.images for batch in batches])
    again, layers, reason = _randomized(session, images)
    for batch in batches:
        targets = batch.targets[kind]
        others = runner_up(session.engine.logits(batch.images), targets)
        session.walk([replace(batch, targets={kind: targets, RUNNER_UP: others})], asked)
        if again is not None:
            predict, alone = again.engine.predict, {kind: targets}
            changed = replace(batch, targets=alone, predict=predict, together=defaultdict(list))
            again.walk([changed], asked)
        bar.advance(len(batch.ids))
    for source in asked:
        _store(ledger.cell_state(source.method), source, layers, reason)


class _Asked(MapSource):
    """Asks one method, and compares its maps with those of the class that the run explains."""

    def __init__(self, method: Bound, kind: str) -> None:
        super().__init__(method, self._compare)
        self.runner_up: list[float] = []
        self.random_layers: list[float] = []
        self._kind = kind
        self._first: Maps | None = None

    def _compare(self, found: Explained) -> None:
        maps = found.maps[self._kind]
        if RUNNER_UP in found.maps:
            self._first = maps
            self.runner_up += _correlations(maps, found.maps[RUNNER_UP])
        else:
            assert self._first is not None
            self.random_layers += _correlations(self._first, maps)


def _randomized(session: RunSession, images: Tensor) -> tuple[Session | None, Sequence[str], str]:
    """Return a session of the model with random last layers, their names, and why there is none."""
    # Batch norms among the layers take statistics, which one image alone has not.
    several = images if len(images) > 1 else images.repeat(2, 1, 1, 1)
    try:
        with blaming(f"random layers of {session.title}", len(images)):
            layers = classification_head(session.model, several)
            seed = session.ledger.seed
            model = with_random_weights(session.model, layers, several, seed=seed)
    except PluginError as error:
        return None, (), str(error)
    if not layers:
        return None, (), "the network has no layer with weights"
    again = copy(session)
    again.engine = session.ledger.selection.engine(model)
    return again, layers, ""


def _correlations(ours: Maps, theirs: Maps) -> list[float]:
    """Return rank correlations, NaN where a map isn't finite.

    A constant map orders no pixels: it has nothing in common with one that does.
    """
    found = np.nan_to_num(rank_correlation(ours.values.cpu().numpy(), theirs.values.cpu().numpy()))
    pairs = zip(ours.statuses, theirs.statuses, strict=True)
    broken = [NON_FINITE in pair for pair in pairs]
    return [float(value) for value in np.where(broken, np.nan, found)]


def _store(state: CellState, found: _Asked, layers: Sequence[str], reason: str) -> None:
    ledger, failed = state.ledger, found.failure
    record = DependenceRecord(
        schema=SCHEMA,
        method=state.method.spec,
        made_from=_made_from(state),
        made_by=[made_by(ledger.selection, state.method)],
        images=len(found.runner_up),
        layers=layers,
        error=failed or reason or None,
        dependence_runner_up=None if failed else _change(found.runner_up),
        dependence_random_layers=None if failed else _change(found.random_layers),
    )
    write_record(ledger.cell_folder(state.method) / DEPENDENCE_FILE, record)


def _change(correlations: Sequence[float]) -> float | None:
    """Return 1 - the mean correlation, None where none is defined."""
    known = [value for value in correlations if not np.isnan(value)]
    return 1 - float(np.mean(known)) if known else None


def _made_from(state: CellState) -> str:
    names = [sample.id for sample in images_of(state.ledger)]
    return fingerprint(state.maps_fingerprint, names, code_of("explaining/dependence"))
