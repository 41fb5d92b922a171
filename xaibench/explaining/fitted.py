"""What a method has learned for a trained model: made once, stored, and read again."""

import logging

from xaibench.core.fingerprints import checksum
from xaibench.core.plugin import Bound
from xaibench.core.seeds import seed_of
from xaibench.core.store import write_with
from xaibench.explaining.fit import FitWords, learn
from xaibench.explaining.meter import Meter
from xaibench.explaining.run_session import RunSession
from xaibench.results.folder import CHECKPOINT_FILE, FIT_FILE
from xaibench.results.integrity import write_record
from xaibench.results.records import SCHEMA
from xaibench.results.work_records import FitRecord
from xaibench.setup.cells import Ledger
from xaibench.setup.fits import FitState, fit_of
from xaibench.setup.provenance import made_by
from xaibench.training.checkpoint import pack

_log = logging.getLogger(__name__)
_MEGABYTE = 1e6


def fit_method(ledger: Ledger, method: Bound, session: RunSession) -> None:
    """Leave on disk what a method learns for a trained model; what holds is left alone.

    Raises:
        PluginError: the fit failed.
        StorageError: the disk is full.
    """
    state = fit_of(ledger, method)
    if not state.holds:
        _log.info("fit %s to %s", method.spec, ledger.title)
        state.folder.mkdir(parents=True, exist_ok=True)
        _make(ledger, method, session, state)
    (state.folder / CHECKPOINT_FILE).unlink(missing_ok=True)


def _make(ledger: Ledger, method: Bound, session: RunSession, state: FitState) -> None:
    meter = Meter(session.engine)
    words = FitWords(
        session.engine,
        session.training,
        classes=len(ledger.selection.dataset.classes),
        seed=seed_of(ledger.seed, method.spec, "fit"),
        title=f"{method.spec} to {ledger.title}",
        checkpoint=state.folder / CHECKPOINT_FILE,
        fingerprint=state.fingerprint,
        meter=meter,
    )
    assert method.plugin.fit is not None
    with meter.measuring(whole_network="network" in method.plugin.fit.words):
        found = pack(learn(method, words))
    write_with(state.file, lambda file: file.write(found))
    seconds, forwards = words.spent
    record = FitRecord(
        schema=SCHEMA,
        method=method.spec,
        fingerprint=state.fingerprint,
        made_from=state.parts,
        made_by=[made_by(ledger.selection, method)],
        sha256=checksum(state.file),
        seconds=seconds,
        forwards=forwards,
        peak_memory_mb=None if meter.peak is None else round(meter.peak / _MEGABYTE),
    )
    write_record(state.folder / FIT_FILE, record)
