"""What a method has learned for a trained model, as it lies beside its cell."""

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from xaibench.core.fingerprints import fingerprint
from xaibench.core.plugin import Bound
from xaibench.results.folder import FIT_FILE, FITTED_FILE
from xaibench.results.integrity import are_intact, intact_record
from xaibench.results.work_records import FitRecord
from xaibench.setup.made_from import Parts, fit_parts

if TYPE_CHECKING:
    from xaibench.setup.cells import Ledger


@dataclass(frozen=True)
class FitState:
    """What of a fit still holds.

    Attributes:
        folder: the cell's.
        parts: what it must be made from.
    """

    folder: Path
    parts: Parts

    @cached_property
    def fingerprint(self) -> str:
        """The fingerprint of these parts."""
        return fingerprint(self.parts)

    @property
    def known(self) -> FitRecord:
        """The record; empty where there is none that was made from the same."""
        known = intact_record(self.folder / FIT_FILE, FitRecord)
        return known if known and known.fingerprint == self.fingerprint else FitRecord()

    @property
    def file(self) -> Path:
        """Holds the tensors."""
        return self.folder / FITTED_FILE

    @property
    def holds(self) -> bool:
        """Whether the tensors are whole and made from the same."""
        sha256 = self.known.sha256
        return sha256 != "" and are_intact(self.folder, {FITTED_FILE: sha256})

    @property
    def made_from(self) -> list[str]:
        """What the fit was made from, and what came of it, which no GPU makes twice."""
        return [self.fingerprint, self.known.sha256]


def fit_of(ledger: "Ledger", method: Bound) -> FitState:
    """Return what of a method's fit for a trained model is there."""
    trained = ledger.model_fingerprint, ledger.weights
    return FitState(
        ledger.cell_folder(method), fit_parts(ledger.selection.options, trained, method)
    )


def read_fitted(state: FitState, device: torch.device) -> dict[str, Tensor]:
    """Return what was learned, where the model lies."""
    stored = io.BytesIO(state.file.read_bytes())
    found: dict[str, Tensor] = torch.load(stored, map_location=device, weights_only=True)
    return found
