"""What a walk asks: one recorded pass for all methods, and a question to each of them."""

from collections.abc import Iterable

from torch import Tensor

from xaibench.core.passes.engine import Engine
from xaibench.core.passes.precision import at_least_single
from xaibench.core.passes.question import Known, Question
from xaibench.core.passes.tape import Tape
from xaibench.core.plugin import Bound
from xaibench.core.seeds import seed_of
from xaibench.explaining.batch import ImageBatch
from xaibench.explaining.failures import PluginError, refuse_lack_of_memory


def record(engine: Engine, words: set[str], images: Tensor) -> Tape:
    """Run the model once for all that methods ask of a batch.

    Raises:
        OutOfMemoryError: memory runs out.
        XaibenchError: the CAM layer doesn't suit.
    """
    try:
        return Tape(engine, images, words)
    except (RuntimeError, MemoryError) as error:
        refuse_lack_of_memory(error, "the recorded pass", len(images))
        raise


def words_of(methods: Iterable[Bound]) -> set[str]:
    """Return all that some methods ask for."""
    return {word for method in methods for word in method.plugin.signature.words}


def question_for(
    method: Bound,
    tape: Tape,
    batch: ImageBatch,
    kind: str,
    seed: int,
    known: Known,
) -> Question:
    """Return what a method is asked for one kind of target."""
    rows = batch.rows(kind)
    seeds = [seed_of(seed, batch.ids[row], method.first_spec) for row in rows.tolist()]
    masks = batch.views[kind].masks if batch.views else batch.masks
    return Question(tape, rows, batch.targets[kind][rows], seeds, masks, known)


def checked(method: Bound, raw: object, count: int) -> Tensor:
    """Return a method's raw maps ``(B, h, w)``.

    Raises:
        PluginError: they are something else.
    """
    if not isinstance(raw, Tensor) or raw.ndim != 3 or len(raw) != count:  # noqa: PLR2004
        shape = tuple(raw.shape) if isinstance(raw, Tensor) else type(raw).__name__
        raise PluginError(
            f"method {method.spec} returned {shape} for {count} images; it must return "
            f"({count}, h, w)."
        )
    return at_least_single(raw.detach())
