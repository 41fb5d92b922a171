"""What a method costs: its time, the images that the network sees, the memory that is held."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from xaibench.core.passes.device import now
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.memory import forget_peak, peak_memory


class Meter:
    """Adds up what is spent within its ``with`` blocks.

    Attributes:
        gap: the largest share of a promised sum that attributions missed; None without a promise.
        seconds: by the clock.
        passes: images that went through the network.
        peak: most bytes held, model and images included; None where the system doesn't tell. On the
            CPU freed memory stays with the process, so that it is an upper bound there.
    """

    def __init__(self, engine: Engine) -> None:
        self.seconds, self.passes = 0.0, 0.0
        self.peak: int | None = None
        self.gap: float | None = None
        self._engine = engine
        self._before: tuple[float, float] | None = None

    @property
    def so_far(self) -> tuple[float, float]:
        """Seconds and passes, also in the middle of a block."""
        if self._before is None:
            return self.seconds, self.passes
        seconds, passes = (a - b for a, b in zip(self._clocks, self._before, strict=True))
        return self.seconds + seconds, self.passes + passes

    @property
    def _clocks(self) -> tuple[float, float]:
        # Answers that other methods have paid for are charged as if it were the only one.
        engine = self._engine
        seconds = now(engine.device) + engine.spared_seconds
        return seconds, engine.seen + engine.spared_passes

    @contextmanager
    def measuring(self, *, whole_network: bool = False) -> Iterator[None]:
        """Count what happens inside.

        Args:
            whole_network: other libraries run the model itself, past the engine.
        """
        engine, device = self._engine, self._engine.device
        engine.gap = None
        forget_peak(device)
        hook = engine.model.register_forward_pre_hook(self._see) if whole_network else None
        self._before = self._clocks
        try:
            yield
        finally:
            if hook is not None:
                hook.remove()
            self.seconds, self.passes = self.so_far
            self._before = None
            self._raise_peak(peak_memory(device))
            if engine.gap is not None:
                self.gap = max(self.gap or 0.0, engine.gap)

    def add(self, other: "Meter") -> None:
        """Add what was spent for several methods: each is charged as if it were the only one."""
        self.seconds += other.seconds
        self.passes += other.passes
        self._raise_peak(other.peak)

    def _raise_peak(self, peak: int | None) -> None:
        self.peak = max(filter(None, (self.peak, peak)), default=None)

    def _see(self, _model: nn.Module, images: tuple[Tensor, ...]) -> None:
        self.passes += len(images[0])
