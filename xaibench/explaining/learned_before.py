"""The session of a stored model, whose methods learned in the run that trained it."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.plugin import Bound
from xaibench.explaining.session import Session
from xaibench.explaining.stored_model import StoredModel
from xaibench.setup.fits import read_fitted


class LearnedBefore(Session):
    """A stored model that explains."""

    def __init__(self, stored: StoredModel, learners: Sequence[Bound]) -> None:
        """Read what methods have learned.

        Args:
            stored: the model.
            learners: methods with a fit; none where the model comes from no run.

        Raises:
            XaibenchError: one hasn't learned for this model, or by other code.
        """
        super().__init__(stored.engine, stored.title, seed=stored.seed)
        self._fitted = {method.spec: _read(stored, method) for method in learners}

    def fitted(self, method: Bound) -> Mapping[str, Tensor] | None:
        """Return what a method's fit has learned for the model."""
        return self._fitted.get(method.spec)


def _read(stored: StoredModel, method: Bound) -> Mapping[str, Tensor]:
    assert stored.fits is not None
    state = stored.fits(method)
    if not state.holds:
        raise XaibenchError(
            f"method {method.spec} has not learned for {stored.title}, or by other code; repeat "
            "the run's command with it among --methods, then explain."
        )
    return read_fitted(state, stored.engine.device)
